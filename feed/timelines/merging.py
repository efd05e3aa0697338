"""Merging at read: a window of a reader's timeline together with those of the recent lists it goes with.

Each source holds everything of its own authors above its floor, so the merged window holds
everything above the highest of these floors, and nothing below it is shown from here. Sources
may overlap, since an author's entries are pushed for a while when they begin to be pulled.
"""

from collections.abc import Sequence

from msgspec import structs

from fanout.timelines import recents
from fanout.timelines.materialised import Window
from fanout.timelines.recents import RECENT_CAP, Pulled, Recents
from storage.redis.node import timeline_node
from storage.web.paging import MOST_COUNTED
from tweets.stores.port import tweet_store

BUILT_A_READ = 32
"""Missing lists that one read builds: about as many store reads, once for everybody in the shard."""


def merged(reader_id: int, own: Window, *, before: int | None, after: int | None, count: int) -> Window | None:
    """Returns the timeline's window with the entries of its merge set; None when some of their lists are missing.

    Then BUILT_A_READ of them are built first, and the others by the reads that follow. Says `rest` if `own` does. Costs
    one Redis round trip; with lists missing three more, and a pull for each list built. Raises `Unavailable`.
    """
    if not own.merge_set:
        return own
    rest = MOST_COUNTED + 1 if own.rest is not None else 0
    asked = recents.read(
        reader_id, own.merge_set, before=before, after=after, count=count, settled=own.settled, rest=rest
    )
    [found] = timeline_node().ask(asked)
    if found.missing:
        build(reader_id, found.missing[:BUILT_A_READ])
        [found] = timeline_node().ask(asked)
    return _together(own, found, upwards=after is not None, count=count) if not found.missing else None


def build(reader_id: int, missing: Sequence[Pulled]) -> None:
    """Builds these lists in the reader's shard, but those that somebody else builds. Raises `Unavailable`."""
    builds = recents.open_builds(reader_id, missing)
    if builds:
        recents.finish_builds([(each, _newest(each.pulled)) for each in builds])


def make_recents_anew(reader_id: int, merge_set: Sequence[Pulled]) -> None:
    """Discards these lists in the reader's shard, and builds them from the store. Raises `Unavailable`."""
    for start in range(0, len(merge_set), BUILT_A_READ):
        some = merge_set[start : start + BUILT_A_READ]
        timeline_node().round_trip(*recents.discard_commands(reader_id, some))
        build(reader_id, some)


def _newest(pulled: Pulled) -> list[int]:
    author_id, _since = pulled
    return tweet_store().home_entries([author_id], limit=RECENT_CAP + 1)


def _together(own: Window, found: Recents, *, upwards: bool, count: int) -> Window:
    floor = max(own.floor, found.floor)
    ids = sorted({each for each in (*own.ids, *found.ids) if each > floor}, reverse=True)
    if upwards:
        return structs.replace(own, ids=ids[-count:], floor=floor, rest=None)
    rest = None
    if own.rest is not None and floor <= own.settled:
        rest = tuple(sorted({*ids[count:], *own.rest, *found.rest}, reverse=True))
    return structs.replace(own, ids=ids[:count], floor=floor, rest=rest)
