"""Making a reader's timeline anew from the store, which makes the reader active again."""

import structlog
from django.conf import settings

from accounts import graph
from fanout import timelines
from tweets.store import tweet_store

log = structlog.get_logger(__name__)


def rebuild(reader_id: int) -> bool:
    """Builds the reader's timeline; False when another is building it or the graph changed meanwhile.

    The order of steps is what makes it complete (see fanout/timelines.py): open, so that
    deliveries land; read the graph; pull; merge. Costs two Redis round trips, the followees
    and the pull. Raises `Unavailable`; an opened build then ends by itself.
    """
    build = timelines.open_build(reader_id)
    if build is None:
        return False
    authors = home_authors(reader_id)
    cap = settings.TIMELINE_CAP
    entries = tweet_store().home_entries(authors, limit=cap + 1)
    floor = entries[cap] if len(entries) > cap else 0
    finished = timelines.finish_build(build, entries[:cap], floor=floor)
    log.info("timeline_rebuilt", reader=reader_id, entries=len(entries[:cap]), floor=floor, finished=finished)
    return finished


def home_authors(reader_id: int) -> list[int]:
    """Whose entries the reader's home has: the followees and the reader. Costs the followees."""
    return [*graph.followee_ids(reader_id), reader_id]
