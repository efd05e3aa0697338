"""Times as they travel: RFC 3339, UTC, milliseconds."""

from datetime import datetime

from storage.ids.snowflakes import id_time


def rfc3339(moment: datetime) -> str:
    """Returns a UTC moment as 2026-11-22T18:48:10.123Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def created_at(snowflake: int) -> str:
    """Returns the birth of an id."""
    return rfc3339(id_time(snowflake))
