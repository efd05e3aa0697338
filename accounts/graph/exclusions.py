"""Whom a viewer must not see: blocked either way everywhere, muted in the home timeline.

`Visibility` decides whose tweets a page shows, for every door and path: by this, and by who is suspended or protected.

The truth is three partitions of the association store: whom the viewer blocks, who blocks
the viewer, whom the viewer mutes. They are cached together in Redis, so that a warm page
needs neither the store nor a round trip of its own (`read` travels with another).

**In force when the change has answered.** Blocking and muting raise the graph version of
everyone concerned after the store was written (graph/follows.py). A cached value holds the version
that was read before the store was, and counts only while that is still the version: both are
read in one command. A value that misses a change was therefore stamped before that change
raised the version, and never counts again. If Redis did not take the version, the change's
order raises it. A version that expires leaves its key empty, like a version of nobody's; it
lives for a day and ACTIVE_DAYS, no value longer than TTL_SECONDS.

**An emptied Redis** has forgotten versions, so a value stamped before must not arrive after: a
reader leaves a placeholder of its own in the value's place before it reads, and its fill
lands only where the placeholder still stands. Of several who fill at once the last one's lands.

For example, Ben, who has no version yet (eight zero bytes, v0), mutes Cleo while one of his pages is made:

1. The page leaves placeholder p1, reads version v0, and finds no mute in the store.
2. The mute is written, Ben's version becomes v1, and he is answered.
3. The page's fill lands in place of p1: nobody, stamped v0. It does not count, as the version is v1.
4. His next page reads the store again: Cleo, stamped v1.

Were Redis emptied after 2, the version would be none again, like v0, and the value of 3 would count: p1 was lost with
it, so that fill does not land.

**Bounded.** A kind with more than CACHED_A_KIND people (a celebrity blocked by a million) is not
cached but named in `beyond`: then the authors of a page are looked up in the store, in one
read a kind.
"""

import secrets
from collections.abc import Collection, Mapping, Set
from contextlib import suppress
from pathlib import Path

import msgspec

from accounts.entities import Account, Viewer
from accounts.graph.follows import graph_version_key
from accounts.graph.kinds import BLOCK, BLOCKED_BY, MUTE
from accounts.graph.protection import closed_among, closed_to_each
from storage.errors import Unavailable
from storage.redis.node import Script, timeline_node
from storage.redis.reads import NOTHING, Read
from storage.redis.shards import key_of_person
from storage.stores import associations

CACHED_A_KIND = 5_000
"""At 9 bytes each: the largest value is 135 KB, and nearly everybody's under 1 KB."""
TTL_SECONDS = 12 * 3600
"""Only a matter of memory, but shorter than the life of any graph version."""
PLACEHOLDER_SECONDS = 30
"""Longer than three store reads; a placeholder left behind by a killed reader hinders nobody."""

READY, PLACEHOLDER = b"R", b"M"
NO_VERSION = bytes(8)

_fill = Script(Path(__file__).parent / "lua" / "fill_exclusions.lua")


exclusions_key = key_of_person("exclusions")
"""Where a person's exclusions stand."""


class Exclusions(msgspec.Struct, frozen=True, array_like=True):
    """The people whom a viewer must not see, but for the kinds in `beyond`.

    `hidden` are blocked either way, `muted` are left out of home only.
    """

    hidden: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()
    beyond: frozenset[str] = frozenset()


class _Cached(msgspec.Struct, frozen=True, array_like=True):
    version: bytes
    exclusions: Exclusions


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Cached)
NOBODY = Exclusions()
BEFORE, BEHIND = (READY + _encode(_Cached(NO_VERSION, NOBODY))).split(NO_VERSION)
"""What stands around the version in the value of who excludes nobody, as most do."""


def sees_suspended(viewer: Viewer | None) -> bool:
    """Returns whether the viewer sees what suspended and protected people wrote where it is looked up: staff do."""
    return viewer is not None and viewer.account.is_staff


def read(viewer_id: int) -> Read[Exclusions | None]:
    """Returns the cached exclusions; None when there are none, or the graph has changed since. One command."""
    return Read((("MGET", exclusions_key(viewer_id), graph_version_key(viewer_id)),), decode)


def decode(answer: tuple[bytes | None, bytes | None]) -> Exclusions | None:
    """Returns what the value of a viewer's `exclusions_key` says beside their graph version, as `read` has it."""
    value, version = answer
    if value == BEFORE + (version or NO_VERSION) + BEHIND:
        return NOBODY  # at a fifth of what decoding costs
    if value is None or value[:1] != READY:
        return None
    cached = _decoder.decode(value[1:])
    return cached.exclusions if cached.version == (version or NO_VERSION) else None


def exclusions_of(viewer_id: int) -> Exclusions:
    """Returns what holds now. One Redis round trip warm; cold, two more and up to three store reads.

    Works without Redis, from the store. Raises `Unavailable` when neither can tell.
    """
    try:
        [cached] = timeline_node().ask(read(viewer_id))
    except Unavailable:
        return from_store(viewer_id)
    return cached if cached is not None else refreshed(viewer_id)


def refreshed(viewer_id: int) -> Exclusions:
    """Reads the store, and caches what it says. Two Redis round trips around three store reads."""
    placeholder = PLACEHOLDER + secrets.token_bytes(8)
    try:
        [_, version] = timeline_node().round_trip(
            ("SET", exclusions_key(viewer_id), placeholder, "EX", PLACEHOLDER_SECONDS),
            ("GET", graph_version_key(viewer_id)),
        )
    except Unavailable:
        return from_store(viewer_id)
    exclusions = from_store(viewer_id)
    value = READY + _encode(_Cached(version or NO_VERSION, exclusions))
    with suppress(Unavailable):
        timeline_node().round_trip(_fill.call([exclusions_key(viewer_id)], placeholder, value, TTL_SECONDS))
    return exclusions


def from_store(viewer_id: int) -> Exclusions:
    """Reads the truth. Three store reads."""
    found = {
        kind: associations().targets(viewer_id, kind, limit=CACHED_A_KIND + 1) for kind in (BLOCK, BLOCKED_BY, MUTE)
    }
    beyond = frozenset(kind for kind, people in found.items() if len(people) > CACHED_A_KIND)
    kept = {kind: people for kind, people in found.items() if kind not in beyond}
    return Exclusions(
        hidden=frozenset(kept.get(BLOCK, ())) | frozenset(kept.get(BLOCKED_BY, ())),
        muted=frozenset(kept.get(MUTE, ())),
        beyond=beyond,
    )


def hidden_among(viewer_id: int, exclusions: Exclusions, people: Collection[int], *, home: bool) -> frozenset[int]:
    """Returns those of `people` whom the viewer must not see, in the home timeline or anywhere else.

    Costs nothing but a store read for each kind in `beyond`. Raises `Unavailable`.
    """
    if exclusions is NOBODY:
        return frozenset()
    excluded = exclusions.hidden | exclusions.muted if home else exclusions.hidden
    kinds = exclusions.beyond if home else exclusions.beyond - {MUTE}
    looked_up = [associations().find(viewer_id, kind, list(people)) for kind in kinds] if people else []
    return excluded.intersection(people).union(*looked_up)


class Visibility:
    """Tells whom a viewer (None for nobody signed in) may see on one page. In home muted people are hidden, too, and
    `without_muted`; in the public feed protected people are, from everybody.

    `home` says besides that the page's own entries are by people whom the viewer follows: of no other place.

    The exclusions are asked for once: along with a round trip that is made anyway (`read`, and then
    `know` or `know_without_redis`), or, if nobody did that, when they are first needed.
    Make a new one for each page: it does not notice changes after its exclusions were read.
    """

    def __init__(
        self,
        viewer_id: int | None,
        known: Exclusions | None = None,
        *,
        home: bool = False,
        public: bool = False,
        without_muted: bool = False,
    ) -> None:
        self._viewer_id = viewer_id
        self._home = home
        self._without_muted = home or without_muted
        self._public = public
        self._exclusions = known
        self._open: Set[int] = frozenset()
        """Protected people whom the viewer is known to be or to follow; and those of whom neither is so."""
        self._closed: Set[int] = frozenset()

    def read(self) -> Read[Exclusions | None]:
        """Returns what to send along with a round trip, for `know`; nothing once the exclusions are known."""
        if self._viewer_id is None or self._exclusions is not None:
            return NOTHING
        return read(self._viewer_id)

    def know(self, cached: Exclusions | None) -> None:
        """Takes what `read` said. Store reads if Redis did not know. Raises `Unavailable`."""
        if self._viewer_id is not None and self._exclusions is None:
            self._exclusions = cached if cached is not None else refreshed(self._viewer_id)

    def know_without_redis(self) -> None:
        """Takes the place of `know` when Redis did not answer, so that it is not asked again. Store reads."""
        if self._viewer_id is not None and self._exclusions is None:
            self._exclusions = from_store(self._viewer_id)

    @property
    def is_known(self) -> bool:
        """Whether `hidden_among` costs nothing."""
        return self._exclusions is not None and not self._exclusions.beyond

    def hidden_among(self, author_ids: Collection[int]) -> frozenset[int]:
        """Returns the authors among these whose tweets must not be shown. Raises `Unavailable`.

        Costs nothing once the exclusions are known, for nearly everybody (see `hidden_among` above).
        """
        if self._viewer_id is None or not author_ids:
            return frozenset()
        if self._exclusions is None:
            self._exclusions = exclusions_of(self._viewer_id)
        return hidden_among(self._viewer_id, self._exclusions, author_ids, home=self._without_muted)

    def unseen_among(
        self, authors: Mapping[int, Account], *, suspended: bool = False, listed: bool = False
    ) -> frozenset[int]:
        """Returns whose tweets, of these authors, the page must not show: the one place where that is decided.

        Of those whom `hidden_among` names, who is suspended, and who is protected and not followed (protection.py);
        with `suspended`, for staff, only of the first. `listed` authors are those of the page's own entries: in home
        the viewer follows them, as they would not stand there else; in the public feed nobody protected is among them.

        Costs what `hidden_among` costs, and a store read for protected people who have not been asked about here.
        Raises `Unavailable`.
        """
        unseen = self.hidden_among(authors)
        special = () if suspended else [each for each in authors.values() if each.suspended or each.protected]
        if not special:
            return unseen
        unseen = unseen.union(each.id for each in special if each.suspended)
        protected = [each for each in special if each.protected and each.id not in unseen]
        return unseen.union(self._closed_among(protected, listed=listed)) if protected else unseen

    def _closed_among(self, protected: Collection[Account], *, listed: bool) -> Collection[int]:
        if listed and self._public:
            return {each.id for each in protected}
        if listed:
            self.know_listed(protected)
        asked = [each for each in protected if each.id not in self._open and each.id not in self._closed]
        self._know_closed(asked, closed_among(self._viewer_id, asked))
        return [each.id for each in protected if each.id in self._closed]

    def know_listed(self, authors: Collection[Account]) -> None:
        """Takes the authors of entries of home for people whom the viewer follows. Nothing of any other place."""
        if self._home:
            self._open |= {each.id for each in authors}

    def _know_closed(self, asked: Collection[Account], closed: frozenset[int]) -> None:
        self._closed |= closed
        self._open |= {each.id for each in asked if each.id not in closed}


def know_together(pages: Mapping[int, Visibility], authors: Collection[Account]) -> None:
    """Has the pages, by their viewers, know whom of the authors they may not see as these are protected.

    What `closed_to_each` costs, nothing if nobody is protected. Raises `Unavailable`.
    """
    protected = [each for each in authors if each.protected]
    if not protected:
        return
    asked = {
        viewer_id: [each for each in protected if each.id not in page._open and each.id not in page._closed]
        for viewer_id, page in pages.items()
    }
    for viewer_id, closed in closed_to_each(asked).items():
        pages[viewer_id]._know_closed(asked[viewer_id], closed)
