"""When an id has settled: whatever was to be written under it is visible to everybody by now, or never will be.

Order of ids is order of birth, not of visibility (snowflakes.py): between the two lies a write. So
whoever goes up a collection goes back, each time, to below what has not settled yet.
"""

from storage.ids.snowflakes import make_id, now_us

SETTLE_SECONDS = 21
"""An id older than this is visible to who reads the store: the store's timeouts (Cassandra's of
connecting, preparing and writing, 5 s each, and 1 s before a second try; SQLite's of waiting for the
lock, 15 s) and 5 s of clock skew.

But for a write whose process died in the middle of it, or to which the store did not answer: it is finished later, in
Cassandra (storage/cassandra/outbox.py). Whoever wrote it was told that it failed, or sent it again. If it had an order,
that was open before anything of it was visible, and holds the watermark below it. To wait for the others
would have every poll read many times as much, always, for what happens when a process dies."""


def settled_place(*, seconds_ago: float = 0.0) -> int:
    """Returns the place below which the store shows all that it ever will; read the store only after this.

    `seconds_ago`: what had settled then.
    """
    return make_id(now_us() - int((SETTLE_SECONDS + seconds_ago) * 1_000_000), 0)
