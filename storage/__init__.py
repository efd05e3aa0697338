"""What has no word of the domain: stores, ids, Redis, the outbox, breakers, paging.

Every other package may import this one; this one imports none of them.
"""
