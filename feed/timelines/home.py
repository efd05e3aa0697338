"""The home timeline: from Redis while its reader is active, from the store otherwise.

    read ─ ready? ──────────────► entries above the floor ─► hydrate
            │ no                        │ not enough
            ▼                           ▼
          rebuild ─► pull ◄──────── below the floor

Who follows pulled authors (fanout/delivery/celebrities.py) reads their recent lists as well (timelines/merging.py).

What a reader sees is the same on every path, because every path answers with ids in one
order, each path is exact for the range that it answers, and what may be shown is decided
in hydration alone.

Only how late an entry may come differs. The store shows what was written, so a page from there has
settled up to some seconds ago; a timeline lacks what its workers have not come to, and says how far it has
settled itself (fanout/timelines/settled.py). A page's cursor goes by the lowest that it met.
"""

from collections.abc import Sequence
from enum import Enum

import msgspec
import structlog
from prometheus_client import Counter

from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility
from fanout.timelines import materialised
from fanout.timelines.materialised import Window
from feed.timelines.merging import merged
from feed.timelines.rebuild import home_authors, rebuild, revalidate
from storage.errors import Unavailable
from storage.ids.settling import settled_place
from storage.redis.node import timeline_node
from storage.redis.reads import NOTHING, Read
from storage.redis.tallies import tallies
from storage.telling import teller
from storage.web.paging import MOST_COUNTED, Page, PageRequest, first_fetch
from tweets.reading.hydration import Hydrated, TweetOut, full_page, hydrated
from tweets.stores.port import tweet_store

WARM, COLD = "home_warm", "home_cold"
"""Pages of home, as processes count them together (storage/redis/tallies.py)."""

READS = Counter("timeline_reads", "Pages of home, by where they came from.", ["path"])
READ_WARM, READ_MERGED, READ_REBUILT, READ_PULLED = (
    READS.labels(each) for each in ("warm", "merged", "rebuilt", "pulled")
)
"""As the timeline was found; with pulled authors' recent lists; after it was made anew; from the store, wholly or
below the floor. The last that is true counts."""

log = structlog.get_logger(__name__)


class Prefetched(msgspec.Struct, frozen=True):
    """The answer of the reader's timeline that came with the check of the token; None when it cannot serve."""

    window: Window | None


def home_page(viewer: Viewer, request: PageRequest, *, prefetched: Prefetched | None = None) -> Page[TweetOut]:
    """Returns one page of the viewer's home timeline, and the viewer counts as active from now on.

    `prefetched` is what `prefetch(viewer.id, request)` said, if it was sent along
    with something else. Warm, this costs one Redis round trip with it and two without, one more
    for who follows pulled authors, and touches neither store nor SQL. Works while Redis is
    down. Raises `Unavailable` when the store is needed and does not answer.
    """
    home = _Home(viewer, prefetched)
    page = full_page(request, home, home.hydrate)
    tallies.count(WARM if home.was_warm else COLD)
    teller.tell(home.path.inc, 1)
    return page


def prefetch(reader_id: int, request: PageRequest) -> Read[Prefetched]:
    """Returns the timeline read that `home_page` begins with; it changes nothing, not even who is active."""
    before, after, limit = first_fetch(request)
    return _window_read(reader_id, before, after, limit).map(Prefetched)


class InHome(Enum):
    """A reader's timeline's answer about one entry."""

    STANDS = "stands"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """The timeline is cold, or was made anew without this entry above its floor: read the page."""


def stands_in_home(reader_id: int, entry_id: int) -> InHome:
    """Returns whether the entry stands in the reader's timeline.

    One Redis round trip, two for who follows pulled authors. Raises `Unavailable`.
    """
    place = entry_id + 1
    [own] = timeline_node().ask(materialised.read(reader_id, before=place, count=1))
    if own is None or not own.of_this_epoch:
        return InHome.UNKNOWN
    found = merged(reader_id, own, before=place, after=None, count=1)
    if found is None or entry_id <= found.floor:
        return InHome.UNKNOWN
    return InHome.STANDS if found.ids[:1] == [entry_id] else InHome.MISSING


def newest_standing(reader_id: int, count: int) -> list[int]:
    """Returns the newest entries that stand in the reader's timeline, whether or not they may be shown.

    Those whose original is gone, or whose author was suspended, are among them. One Redis round trip, two for who
    follows pulled authors; from the store what is below the timeline's floor, and all when the timeline cannot serve or
    Redis is down, at the price of a page below the floor. Raises `Unavailable` for the store.
    """
    found = _standing_in_timeline(reader_id, count)
    ids = list(found.ids) if found is not None else []
    if found is not None and (len(ids) >= count or found.floor == 0):
        return ids
    lowest = ids[-1] if ids else None
    return ids + tweet_store().home_entries(home_authors(reader_id), before=lowest, limit=count - len(ids))


def _standing_in_timeline(reader_id: int, count: int) -> Window | None:
    try:
        [own] = timeline_node().ask(materialised.read(reader_id, count=count))
        if own is None or not own.of_this_epoch:
            return None
        return merged(reader_id, own, before=None, after=None, count=count)
    except Unavailable as error:
        if error.backend != timeline_node().name:
            raise
        return None


def warm(reader_id: int) -> None:
    """Makes the reader's timeline unless it is there; nothing while Redis is down.

    One Redis round trip; cold, a rebuild. Raises `Unavailable` for the store.
    """
    try:
        [own] = timeline_node().ask(materialised.read(reader_id, count=1))
        if _outdated(own):
            rebuild(reader_id)
    except Unavailable as error:
        if error.backend != timeline_node().name:
            raise


class _Home:
    """The reading of one page: where ids come from, a `Source`, and what goes along with hydration."""

    def __init__(self, viewer: Viewer, prefetched: Prefetched | None) -> None:
        self._viewer = viewer
        self._prefetched = prefetched
        self._visibility = Visibility(viewer.id, home=True)
        self._authors: list[int] | None = None
        self._cold = False
        self.was_warm = True
        """Whether the timeline served as it was found, without being made anew or passed over."""
        self._has_pulled = self._has_merged = False
        self._to_touch = False
        self._settled: int | None = None
        self._last: Window | None = None
        """Of which `rest` may still be asked."""

    def fetch(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        """Returns entry ids newest first below `before`, or the nearest above `after`; fewer only at the end."""
        window = None if self._cold else self._window(before, after, limit)
        if window is None:
            self._cold, self.was_warm = True, False
            return self._pull(before=before, after=after, limit=limit)
        self._to_touch = window.to_touch
        self._meet(window.settled)
        self._last = window
        if after is not None:
            return window.ids if after >= window.floor else self._pull(before=None, after=after, limit=limit)
        missing = limit - len(window.ids)
        if missing > 0 and window.floor > 0:
            lowest = window.ids[-1] if window.ids else before
            return window.ids + self._pull(before=lowest, after=None, limit=missing)
        return window.ids

    @property
    def path(self) -> Counter:
        """Where the page came from, as it is counted."""
        if self._has_pulled:
            return READ_PULLED
        if not self.was_warm:
            return READ_REBUILT
        return READ_MERGED if self._has_merged else READ_WARM

    def settled(self) -> int:
        """Returns the place up to which no path that this page took can get any more entries."""
        return self._settled if self._settled is not None else settled_place()

    def between(self, low: int, high: int, *, limit: int) -> list[int]:
        """Returns the entries between the two. Mostly for nothing: a timeline has said what is left of it."""
        last = self._last
        if last is not None and last.rest is not None and last.ids[-1:] == [high] and last.settled <= low:
            found: Sequence[int] = last.rest
        else:
            found = self.fetch(before=high, after=None, limit=limit)
        return [each for each in found if each > low][:limit]

    def hydrate(self, ids: Sequence[int]) -> Hydrated:
        """Returns what may be shown of `ids`. Keeps the timeline if it was served: an outdated one must end in time."""
        served = self._to_touch and not self._cold
        touch = Read((materialised.touch_command(self._viewer.id),), bool) if served else NOTHING
        return hydrated(ids, viewer=self._viewer, visibility=self._visibility, extra=touch)

    def _meet(self, settled: int) -> None:
        """Takes down how far a path has settled that is about to be read, or was read together with it."""
        self._settled = settled if self._settled is None else min(self._settled, settled)

    def _window(self, before: int | None, after: int | None, limit: int) -> Window | None:
        """Returns the window of the timeline, rebuilt first if need be; None when only the store can answer."""
        try:
            prefetched, self._prefetched = self._prefetched, None
            own = prefetched.window if prefetched is not None else self._read(before, after, limit)
            if _outdated(own):
                self.was_warm = False
            if _outdated(own) and self._renew(own):
                own = self._read(before, after, limit)
            if own is None or not own.of_this_epoch:
                return None
            if not own.merge_set:
                return own
            self._has_merged = True
            return merged(self._viewer.id, own, before=before, after=after, count=limit)
        except Unavailable as error:
            if error.backend != timeline_node().name:
                raise
            log.warning("home_without_redis", user_id=self._viewer.id)
            return None

    def _renew(self, own: Window | None) -> bool:
        return (own is not None and revalidate(self._viewer.id)) or rebuild(self._viewer.id)

    def _read(self, before: int | None, after: int | None, limit: int) -> Window | None:
        [own] = timeline_node().ask(_window_read(self._viewer.id, before, after, limit))
        return own

    def _pull(self, *, before: int | None, after: int | None, limit: int) -> list[int]:
        self._has_pulled = True
        if self._authors is None:
            self._authors = home_authors(self._viewer.id)
        self._meet(settled_place())
        return tweet_store().home_entries(self._authors, before=before, after=after, limit=limit)


def _window_read(reader_id: int, before: int | None, after: int | None, limit: int) -> Read[Window | None]:
    return materialised.read(reader_id, before=before, after=after, count=limit, rest=MOST_COUNTED + 1)


def _outdated(own: Window | None) -> bool:
    return own is None or not own.of_this_epoch
