"""Making a reader's timeline anew from the store, which makes the reader active again."""

from collections.abc import Sequence

import structlog
from django.conf import settings
from prometheus_client import Counter

from accounts.graph import exclusions, following
from fanout.delivery.celebrities import pulled_among, pulling_ended_among
from fanout.timelines import builds, materialised
from feed.timelines.merging import make_recents_anew
from storage.ids.snowflakes import id_us
from storage.redis.node import timeline_node
from tweets.stores.port import tweet_store

CLOCKS_US = 60_000_000
"""Redis' clock and that of whoever ended a pulling differ by less."""
REBUILD_TRIES = 3
"""Another reader's rebuild or a change of the graph may overtake one."""

log = structlog.get_logger(__name__)

REBUILDS = Counter("timeline_rebuilds", "Attempts to make a timeline from the store.", ["outcome"])
FINISHED, OVERTAKEN, BUSY, FAILED = (REBUILDS.labels(each) for each in ("finished", "overtaken", "busy", "failed"))
"""Overtaken: the graph changed meanwhile. Busy: another one is building it."""


def rebuild(reader_id: int) -> bool:
    """Builds the reader's timeline; False when another is building it or the graph changed meanwhile.

    The order of steps is what makes it complete (see fanout/timelines/builds.py): open, so that
    deliveries land; read the graph, and who of it is pulled; pull the others; merge. Costs two
    Redis round trips, the authors, a store read and the pull. Raises `Unavailable`; an opened
    build then ends by itself.
    """
    with FAILED.count_exceptions():
        build = builds.open_build(reader_id)
        finished = build is not None and _fill(build, reader_id)
    outcome = BUSY if build is None else FINISHED if finished else OVERTAKEN
    outcome.inc()
    return finished


def make_anew(reader_id: int) -> bool:
    """Ends the reader's timeline, whatever its state, and builds it, with the recent lists that it goes with.

    False when others were always faster. For repairs: the reader counts as active from now on.
    Raises `Unavailable`.
    """
    for _ in range(REBUILD_TRIES):
        timeline_node().round_trip(materialised.discard_command(reader_id))
        if rebuild(reader_id):
            [standing] = timeline_node().ask(builds.standing(reader_id))
            make_recents_anew(reader_id, standing.merge_set if standing is not None else ())
            return True
    return False


def _fill(build: builds.Build, reader_id: int) -> bool:
    """Reads the graph, pulls and merges; False when the graph changed meanwhile."""
    authors = home_authors(reader_id)
    merged = merge_set(reader_id, authors)
    cap = settings.TIMELINE_CAP
    pushed = set(authors) - {author_id for author_id, _ in merged}
    entries = tweet_store().home_entries(sorted(pushed), limit=cap + 1)
    floor = entries[cap] if len(entries) > cap else 0
    finished = builds.finish_build(build, entries[:cap], floor=floor, merge_set=merged)
    log.info("timeline_rebuilt", user_id=reader_id, entries=len(entries[:cap]), floor=floor, finished=finished)
    return finished


def revalidate(reader_id: int) -> bool:
    """Has a timeline of another epoch serve in this one, if those whom it merges are still the right ones.

    Not one that was opened before somebody ceased to be pulled: it may lack what they wrote until
    then, if nobody read it meanwhile. Looks at the epoch, then at the store: a later change
    raises the epoch again. Costs two Redis round trips, the authors and two store reads. Raises `Unavailable`.
    """
    [standing] = timeline_node().ask(builds.standing(reader_id))
    if standing is None:
        return False
    authors = home_authors(reader_id)
    if merge_set(reader_id, authors) != standing.merge_set:
        return False
    ended = [id_us(op) for op in pulling_ended_among(authors).values()]
    if ended and standing.opened_us <= max(ended) + CLOCKS_US:
        return False
    return builds.revalidate(standing)


def merge_set(reader_id: int, authors: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Returns those of the authors whose entries the reader merges, each with the operation since when.

    One store read. Never the reader: one's own entries are in one's own timeline at once.
    """
    pulled = pulled_among([each for each in authors if each != reader_id])
    return tuple(sorted(pulled.items()))


def home_authors(reader_id: int) -> list[int]:
    """Returns whose entries the reader's home has: the reader, and followees who are neither muted nor blocked.

    Costs the followees and the exclusions.
    """
    followees = following.followee_ids(reader_id)
    excluded = exclusions.hidden_among(reader_id, exclusions.exclusions_of(reader_id), followees, home=True)
    return [*(each for each in followees if each not in excluded), reader_id]
