"""What every backend's address has to be before anything else is looked at in it."""

from urllib.parse import urlsplit

WRITE_AS_XX = "is no URL: is a character of its password to be written as %XX?"
"""What follows the variable's name in a sentence that refuses it."""


def is_readable(url: str) -> bool:
    """Returns whether it has a scheme, and, if any, a port that is one."""
    try:
        parts = urlsplit(url)
        return bool(parts.scheme) and (parts.port or 0) >= 0
    except ValueError:
        return False
