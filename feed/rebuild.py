"""Making a reader's timeline anew from the store, which makes the reader active again."""

import structlog
from django.conf import settings
from prometheus_client import Counter

from accounts import exclusions, graph
from fanout import timelines
from storage.redis import timeline_node
from tweets.store import tweet_store

REBUILD_TRIES = 3
"""Another reader's rebuild or a change of the graph may overtake one."""

log = structlog.get_logger(__name__)

REBUILDS = Counter("timeline_rebuilds", "Attempts to make a timeline from the store.", ["outcome"])
FINISHED, OVERTAKEN, BUSY, FAILED = (REBUILDS.labels(each) for each in ("finished", "overtaken", "busy", "failed"))
"""Overtaken: the graph changed meanwhile. Busy: another one is building it."""


def rebuild(reader_id: int) -> bool:
    """Builds the reader's timeline; False when another is building it or the graph changed meanwhile.

    The order of steps is what makes it complete (see fanout/timelines.py): open, so that
    deliveries land; read the graph; pull; merge. Costs two Redis round trips, the authors
    and the pull. Raises `Unavailable`; an opened build then ends by itself.
    """
    with FAILED.count_exceptions():
        build = timelines.open_build(reader_id)
        finished = build is not None and _fill(build, reader_id)
    outcome = BUSY if build is None else FINISHED if finished else OVERTAKEN
    outcome.inc()
    return finished


def make_anew(reader_id: int) -> bool:
    """Ends the reader's timeline, whatever its state, and builds it; False when others were always faster.

    For repairs: the reader counts as active from now on. Raises `Unavailable`.
    """
    for _ in range(REBUILD_TRIES):
        timeline_node().round_trip(timelines.discard_command(reader_id))
        if rebuild(reader_id):
            return True
    return False


def _fill(build: timelines.Build, reader_id: int) -> bool:
    """Reads the graph, pulls and merges; False when the graph changed meanwhile."""
    authors = home_authors(reader_id)
    cap = settings.TIMELINE_CAP
    entries = tweet_store().home_entries(authors, limit=cap + 1)
    floor = entries[cap] if len(entries) > cap else 0
    finished = timelines.finish_build(build, entries[:cap], floor=floor)
    log.info("timeline_rebuilt", reader=reader_id, entries=len(entries[:cap]), floor=floor, finished=finished)
    return finished


def home_authors(reader_id: int) -> list[int]:
    """Whose entries the reader's home has: the reader, and followees who are neither muted nor blocked.

    Costs the followees and the exclusions.
    """
    followees = graph.followee_ids(reader_id)
    excluded = exclusions.hidden_among(reader_id, exclusions.exclusions_of(reader_id), followees, home=True)
    return [*(each for each in followees if each not in excluded), reader_id]
