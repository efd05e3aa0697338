"""An entry as many readers have it in their home timelines, looked at together: for the sockets of a process.

Says what `stands_in_home` (home.py) and `hydrate` say of each reader, but leaves out who would cost a read of their
own, so that whoever is known to no cache holds up none of the others.
"""

from collections.abc import Collection, Sequence

from accounts.graph import exclusions
from accounts.graph.exclusions import NOBODY
from fanout.timelines import standing
from fanout.timelines.recents import Recents
from fanout.timelines.standing import Everyday, Standing
from feed.timelines.home import InHome
from feed.timelines.merging import build
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard
from tweets.caches import marks
from tweets.reading.hydration import TweetOut
from tweets.reading.many_viewers import Shared, view_of_most, views_of
from tweets.reading.viewing import Known, known_of, proving_among, told_apart, unchanged_below

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
    originals = entry.originals
    [found] = timeline_node().ask(standing.read(reader_ids, entry_id, author_id, everyday(originals)))
    there, unknown = _with_recents(found, entry_id, author_id)
    told: dict[int, Told] = dict.fromkeys(reader_ids, ())
    told |= dict.fromkeys(unknown, InHome.UNKNOWN) | dict.fromkeys(there, InHome.STANDS)
    return told | _views(there, found, entry)


def _views(there: Sequence[int], found: Standing, entry: Shared) -> dict[int, list[TweetOut]]:
    """What those see of the entry in whose timelines it is, but for who would cost a read of their own."""
    originals = entry.originals
    known = _known_apart(there, found, originals)
    like_all = there if not known else [each for each in there if each not in known]
    if not entry.are_open:
        known |= {each: Known(each, NOBODY, home=True, unmarked=True) for each in like_all}
        like_all = []
    seen = views_of({each: of_reader for each, of_reader in known.items() if of_reader.tells(originals)}, entry)
    return seen | dict.fromkeys(like_all, view_of_most(entry)) if like_all else seen


def _known_apart(there: Sequence[int], found: Standing, originals: Collection[int]) -> dict[int, Known]:
    """What is known of those of whom more has to be known than that they are like all."""
    proving = proving_among(found.generations, originals)
    if not found.apart and len(proving) == len(found.generations):
        return {}
    apart = {each: found.apart[each] for each in there if each in found.apart}
    unproved = [each for each in there if each not in apart and timeline_shard(each) not in proving]
    return told_apart(apart, found.generations, originals, home=True) | known_of(unproved, originals, home=True)


def everyday(originals: Collection[int]) -> Everyday:
    """Returns what tells in Redis that a reader is shown like everybody else what shows these tweets."""
    nobody = exclusions.BEFORE, exclusions.BEHIND
    unseen = unchanged_below(originals)
    return Everyday(exclusions.exclusions_key, nobody, marks.version_key, marks.UNCHANGED_BYTES, unseen)


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
