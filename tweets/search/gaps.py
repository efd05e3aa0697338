"""Gaps: what the index has missed for good, as the outbox has forgotten it, or the index's file is gone.

That there is one stands in the store until a rebuild has begun after it and ended (rebuilding.py). So does which index
was known when: each has an identity, given when it is made, and one that the store does not know has nothing of before.
"""

from hashlib import blake2b

import structlog

from storage.ids.snowflakes import created_at, id_us, make_id, now_us
from storage.ports.outbox import GRACE_US, UNREAD_US
from storage.ports.places import SEARCH, SEARCH_GAP, SEARCH_REBUILT
from storage.stores import places
from tweets.search.guarded import search_index
from tweets.stores.port import tweet_store

log = structlog.get_logger(__name__)


def rebuild_wanted() -> bool:
    """Returns whether there is a gap. Two store reads. Raises `Unavailable`."""
    return places().place(SEARCH_GAP) > places().place(SEARCH_REBUILT)


def note_gap(place: int) -> None:
    """Notes a gap if the indexer, which has just read what is above `place`, did so after the outbox may have forgotten
    some of it; none before it has ever run. A store write then. Raises `Unavailable`.

    Called between the read and the move of the place. Before the read it would not know of what is forgotten while the
    read is under way, or waits; after the move, whoever dies in between would leave a gap that nobody knows of.
    """
    kept = now_us() - UNREAD_US
    if place and id_us(place) < kept:
        if not rebuild_wanted():
            log.error("search_gap", since=created_at(place))
        places().move(SEARCH_GAP, make_id(kept, 0))


def note_the_index(identity: str) -> None:
    """Keeps with the places that the index is that one, which holds, or is about to, whatever has not been a gap."""
    places().move(_known_as(identity), make_id(now_us(), 0))


def look_whether_it_is_another(identity: str) -> None:
    """Notes a gap if the index of that identity is none that the store knows, or is empty, and the store has tweets
    that the indexer will not come to any more: whoever asks first makes a lost index anew.

    A gap is as of before the look: a rebuild that began while it lasted has found the same, and fills it. An index that
    is empty as long as its rebuild has put nothing is no second gap. So it is asked first whether there is one: of an
    index that is found empty a rebuild may have come to its end by then.

    Three store reads, and a read of the index where there is no gap; of another one three store reads and two writes.
    Raises `Unavailable`.
    """
    looked = make_id(now_us(), 0)
    if not places().place(_known_as(identity)):
        _note_loss(looked)
        note_the_index(identity)
    elif not rebuild_wanted() and search_index().newest() is None:
        _note_loss(looked)


def note_that_it_was_emptied(of: int) -> None:
    """Notes a gap as of now, of an index from which that tweet is gone, which was put and stands. A store write. Raises
    `Unavailable`."""
    places().move(SEARCH_GAP, make_id(now_us(), 0))
    log.error("search_index_empty", since=created_at(of))


def _known_as(identity: str) -> str:
    """A reader's name, for each index that ever was."""
    return f"{SEARCH}:{blake2b(identity.encode(), digest_size=8).hexdigest()}"


def _note_loss(looked: int) -> None:
    """Notes a gap up to then, of an index that is another one than it was, if the store has tweets that the indexer
    will not come to any more. Two store reads, and a write then. Raises `Unavailable`."""
    passed = places().place(SEARCH) or make_id(now_us() - GRACE_US, 0)
    older = tweet_store().public(before=passed, limit=1)
    if older:
        places().move(SEARCH_GAP, looked)
        log.error("search_index_empty", since=created_at(older[0]))
