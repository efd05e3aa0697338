"""An entry as many readers have it in their home timelines, looked at together: for the sockets of a process.

Says what `stands_in_home` (home.py) and `hydrate` say of each reader, but leaves out who would cost a read of their
own, so that whoever is known to no cache holds up none of the others.
"""

from collections.abc import Sequence

from fanout.timelines import standing
from fanout.timelines.recents import Recents
from fanout.timelines.standing import Standing
from feed.timelines.home import InHome
from feed.timelines.merging import build
from storage.redis.node import timeline_node
from tweets.reading.hydration import Shared, TweetOut, views_of
from tweets.reading.viewing import known_of

Told = Sequence[TweetOut] | InHome
"""What a reader is to be shown; else UNKNOWN, to read the page, or STANDS, to be shown what they alone are asked of."""


def seen_at_home(reader_ids: Sequence[int], entry_id: int, entry: Shared) -> dict[int, Told]:
    """Returns what each reader sees of the entry, of which `entry` was loaded: nothing where it does not stand.

    What the store does not show yet is UNKNOWN to all: the page tells of it when it can be read.
    One Redis round trip for all readers; one more if some merge its author, and one if some may have marked what it
    shows; a recent list that is missing in a shard costs what it costs a page (merging.py). Raises `Unavailable`.
    """
    if entry.is_unreadable(entry_id):
        return dict.fromkeys(reader_ids, InHome.UNKNOWN)
    author_id = entry.author_of(entry_id)
    if author_id is None:
        return dict.fromkeys(reader_ids, ())
    asked = standing.read(reader_ids, entry_id, author_id)
    originals = entry.originals
    known, found = known_of(reader_ids, originals, asked, home=True)
    there, unknown = _with_recents(found, entry_id, author_id)
    told: dict[int, Told] = dict.fromkeys(reader_ids, ())
    told |= dict.fromkeys(unknown, InHome.UNKNOWN) | dict.fromkeys(there, InHome.STANDS)
    return told | views_of({each: known[each] for each in there if known[each].tells(originals)}, entry)


def _with_recents(found: Standing, entry_id: int, author_id: int) -> tuple[list[int], list[int]]:
    """Returns in whose timelines the entry stands, and whose cannot tell."""
    there, unknown = list(found.there), list(found.unknown)
    for readers, recent in zip(found.merging.values(), _recents(found, entry_id, author_id), strict=True):
        if recent.missing or entry_id <= recent.floor:
            unknown += readers
        elif recent.ids == [entry_id]:
            there += readers
    return there, unknown


def _recents(found: Standing, entry_id: int, author_id: int) -> list[Recents]:
    """Returns what the recent lists of `found.merging` hold; those that are missing are built first."""
    asked = standing.recents_of(entry_id, author_id, found.merging)
    answers = timeline_node().ask_all(asked)
    missing = [
        (readers[0], recent.missing)
        for readers, recent in zip(found.merging.values(), answers, strict=True)
        if recent.missing
    ]
    for reader_id, pulled in missing:
        build(reader_id, pulled)
    return timeline_node().ask_all(asked) if missing else answers
