"""Which part of a listing is asked for, where many listings are asked for at once."""

import msgspec

from storage.ids.snowflakes import MAX_ID


class Range(msgspec.Struct, frozen=True):
    """The `limit` newest places below `before`, or with `after` the nearest above it; newest first either way."""

    before: int | None
    after: int | None
    limit: int

    @property
    def low(self) -> int:
        """The lowest place that may be in it."""
        return (self.after or 0) + 1

    @property
    def high(self) -> int:
        """The highest."""
        return MAX_ID if self.before is None else self.before - 1
