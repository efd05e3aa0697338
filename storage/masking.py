"""What must not be read in a log, a list of failures or an error: the passwords that stand in URLs."""

import re

_WHO = re.compile(r"://\S{0,400}@")
"""From the scheme to the last @ of the word: a password that was not escaped has characters of URLs in it. Bounded, so
that a long text costs what its length says."""


def masked(text: str) -> str:
    """Returns the text with `…` in place of what URLs in it say of whom they sign in as."""
    return _WHO.sub("://…@", text) if "://" in text else text
