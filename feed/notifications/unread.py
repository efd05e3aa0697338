"""How much is new: counted from the store and kept in Redis, so that asking again is one round trip.

What is kept names the versions of the person's news and of their graph (graph/notifications.py, graph/follows.py) that
stood before the store was read, and counts only while they stand: so a notice, a mark, a block and a mute are counted
when they have answered. What else hides a notice, such as a deleted tweet, is seen within KEPT_SECONDS.
"""

from contextlib import suppress

import msgspec

from accounts.entities import Viewer
from accounts.graph.follows import graph_version_key
from accounts.graph.notifications import news_key
from feed.notifications.pages import EVERY_TYPE, Listed
from storage.errors import StillSearching, Unavailable
from storage.redis.guarded_cache import GuardedCache
from storage.redis.node import timeline_node
from storage.redis.reads import Read
from storage.redis.shards import timeline_shard
from storage.stores import notices
from storage.web.paging import PageRequest
from storage.web.walking import Stored, full_page

MOST_COUNTED = 100
"""So many means so many or more."""
KEPT_SECONDS = 60

Versions = tuple[bytes | None, bytes | None]
"""Of the person's news and graph, as they stood."""


class _Counted(msgspec.Struct, frozen=True, array_like=True):
    versions: Versions
    unread: int


UNREAD: GuardedCache[int, _Counted] = GuardedCache(
    timeline_node,
    timeline_shard,
    lambda person_id: f"unread:{person_id}",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(_Counted).decode,
    ttl_seconds=KEPT_SECONDS,
)


def unread_count(viewer: Viewer) -> int:
    """Returns how many notifications the viewer has not read, MOST_COUNTED if they are as many or more.

    One Redis round trip warm; else what a page of MOST_COUNTED costs besides, and one more. Works without Redis. Raises
    `Unavailable`.
    """
    node = timeline_node()
    try:
        cached, versions = node.ask(UNREAD.read([viewer.id]), _versions(viewer.id))
    except Unavailable:
        return _count(viewer)
    known = cached.values.get(viewer.id)
    if known is not None and known.versions == versions:
        return known.unread
    generation = node.generation_of(cached.generation)
    counted = _Counted(versions, _count(viewer))
    with suppress(Unavailable):
        node.round_trip(*UNREAD.overwrite({viewer.id: counted}, generation=generation))
    return counted.unread


def _versions(person_id: int) -> Read[Versions]:
    return Read((("MGET", news_key(person_id), graph_version_key(person_id)),), lambda answer: (answer[0], answer[1]))


def _count(viewer: Viewer) -> int:
    """Upwards from what was read last, so that nothing below it is looked at. Of somebody from whom so much is hidden
    that nothing was found in time nothing is new, and where the time ended behind some, these are."""
    mark = notices().read_up_to(viewer.id)
    listed = Listed(viewer, EVERY_TYPE, read_up_to=mark, are_counted=False)
    try:
        return len(full_page(PageRequest(limit=MOST_COUNTED, after=mark), Stored(listed.fetch), listed.show).items)
    except StillSearching:
        return 0
