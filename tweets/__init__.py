"""Tweets: writing, deleting, reading one, an author's, a conversation's.

A tweet is written together with the order that fans it out; fan-out is called by name.
"""
