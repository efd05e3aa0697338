"""Fan-out: the Redis timelines, delivery into them, and the orders that say what is to do.

Handles ids only, never a tweet's body.
"""
