"""What `make run` and `make cassandra` tell a person instead of a stack trace."""


class CannotStart(Exception):
    """One sentence for the person at the terminal: what is wrong and what to do about it."""
