"""What differs by viewer of the same tweets, read for many viewers at once: whom each must not see, what they marked.

One command a shard tells both of nearly everybody. **Nobody has marked a tweet that is younger than any change of their
marks**: each change leaves a version for VERSION_SECONDS (tweets/caches/marks.py), so of a tweet of the last
YOUNG_SECONDS a viewer without a version has marked nothing, if this Redis has forgotten nothing since before the
tweet, and no order had to raise the viewer's graph version since, as Redis did not take a change. Of others the marks
are read.

For example, tweet 90 is a second old, and Ada and Bob are told of it. Bob liked it meanwhile, so he has a version, and
his marks are read; Ada has none, and is shown that she has not liked it.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from accounts.graph import exclusions
from accounts.graph.exclusions import NO_VERSION, NOBODY, Exclusions, Visibility
from accounts.graph.follows import graph_version_key
from storage.ids.snowflakes import id_us, now_us
from storage.redis.node import timeline_node
from storage.redis.reads import Read
from storage.redis.shards import Generations, by_shard, generation_key, keys_within, timeline_shard
from tweets.caches import marks
from tweets.caches.marks import CLOCK_SKEW, KnownMarks

YOUNG_SECONDS = 30
"""Half of the time for which a change of marks leaves its sign, as clocks differ."""
SKEW_US = 10_000_000


class Known(msgspec.Struct):
    """What a round trip has told of one viewer."""

    viewer_id: int
    exclusions: Exclusions | None = None
    home: bool = False
    marks: KnownMarks | None = None
    unmarked: bool = False
    """It is proved that they have marked none of the tweets."""
    _visibility: Visibility | None = None

    @property
    def visibility(self) -> Visibility:
        """Returns whom they may see; made when it is first asked for, as few are."""
        if self._visibility is None:
            self._visibility = Visibility(self.viewer_id, self.exclusions, home=self.home)
        return self._visibility

    @property
    def sees_all(self) -> bool:
        """Returns whether they exclude nobody, and have marked none of the tweets: like everybody else of whom that is
        known, they see whatever is neither suspended nor protected."""
        return self.unmarked and self.exclusions is NOBODY

    def tells(self, tweet_ids: Collection[int]) -> bool:
        """Returns whether it says what they see of these tweets, and have marked, without asking any further."""
        if self.sees_all:
            return True
        told = self.unmarked or (self.marks is not None and marks.tell(self.marks, tweet_ids))
        return told and self.visibility.is_known


def known_of(viewer_ids: Sequence[int], tweet_ids: Collection[int], *, home: bool) -> dict[int, Known]:
    """Returns what Redis knows of each viewer in respect of the tweets.

    Whose exclusions it does not have is in there without them. One round trip; two if the marks of some have to be
    read. Raises `Unavailable`.
    """
    [found] = timeline_node().ask(_signs_of(viewer_ids, tweet_ids, home=home))
    return _with_marks(found)


def told_apart(
    signs: Mapping[int, tuple[bytes | None, bytes | None, bytes | None]],
    generations: Mapping[int, bytes | None],
    tweet_ids: Collection[int],
    *,
    home: bool,
) -> dict[int, Known]:
    """Does the same of viewers of whom the values of their exclusions, graph version and version of marks were read,
    under these generations of their shards. No round trip, or one if the marks of some have to be read."""
    proving, unchanged = proving_among(generations, tweet_ids), unchanged_below(tweet_ids)
    found = {
        viewer_id: Known(
            viewer_id,
            exclusions.decode((excluded, graph)),
            home,
            None,
            not tweet_ids or (timeline_shard(viewer_id) in proving and _has_no_sign(graph, marked, unchanged)),
        )
        for viewer_id, (excluded, graph, marked) in signs.items()
    }
    return _with_marks(found)


def proving_among(generations: Mapping[int, bytes | None], tweet_ids: Collection[int]) -> set[int]:
    """Returns the shards, of those that were read under these generations, in which a viewer without the sign of a
    change has marked none of the tweets."""
    proving = _generations_that_prove(tweet_ids)
    return {
        shard
        for shard, generation in generations.items()
        if not tweet_ids or (generation is not None and generation == proving.get(shard))
    }


def unchanged_below(tweet_ids: Collection[int]) -> bytes:
    """Returns the graph version from which on a viewer may have marked one of the tweets by a change without another
    sign in Redis (see above): as it stands there, where what is below sorts before it."""
    return max(0, min(tweet_ids, default=0) - CLOCK_SKEW).to_bytes(8, "big")


def _with_marks(found: dict[int, Known]) -> dict[int, Known]:
    asked = [viewer_id for viewer_id, known in found.items() if not known.unmarked]
    for viewer_id, marked in zip(asked, timeline_node().ask_all([marks.read(each) for each in asked]), strict=True):
        found[viewer_id].marks = marked
    return found


def known_without_redis(viewer_ids: Sequence[int]) -> dict[int, Known]:
    """Does the same of any place but home when Redis does not answer. Store reads for each. Raises `Unavailable`."""
    found = {each: Known(each) for each in viewer_ids}
    for known in found.values():
        known.visibility.know_without_redis()
    return found


def _generations_that_prove(tweet_ids: Collection[int]) -> Generations:
    """The generation of each shard in which a viewer without a change has marked none of the tweets, if one proves it.
    Worked out once for each that is seen: of many viewers most are of the same."""
    if not tweet_ids:
        return {}
    written_us = id_us(min(tweet_ids))
    if now_us() - written_us >= YOUNG_SECONDS * 1_000_000:
        return {}
    seen = timeline_node().seen
    return {shard: each.generation for shard, each in seen.items() if each.since_us + SKEW_US < written_us}


def _signs_of(viewer_ids: Sequence[int], tweet_ids: Collection[int], *, home: bool) -> Read[dict[int, Known]]:
    """What `known_of` returns, but for marks that have to be read. A command a shard."""
    shards = by_shard(viewer_ids)
    commands = tuple(("MGET", generation_key(shard), *_keys(shard, viewers)) for shard, viewers in shards.items())
    unchanged = unchanged_below(tweet_ids)

    def decode(*answers: Sequence[bytes | None]) -> dict[int, Known]:
        found = {}
        proving = _generations_that_prove(tweet_ids)
        for (shard, viewers), (generation, *values) in zip(shards.items(), answers, strict=True):
            proves = generation is not None and generation == proving.get(shard)
            count = len(viewers)
            of_each = zip(viewers, values[:count], values[count:-count], values[-count:], strict=True)
            for viewer_id, excluded, graph, marked in of_each:
                unmarked = not tweet_ids or (proves and _has_no_sign(graph, marked, unchanged))
                found[viewer_id] = Known(viewer_id, exclusions.decode((excluded, graph)), home, None, unmarked)
        return found

    return Read(commands, decode)


def _has_no_sign(graph: bytes | None, marked: bytes | None, unchanged: bytes) -> bool:
    """Whether nothing says that the viewer may have changed a mark."""
    return (graph or NO_VERSION) < unchanged and not marks.is_of_a_change(marked)


def _keys(shard: int, viewer_ids: Sequence[int]) -> list[str]:
    """First all exclusions, then all graph versions, then those of marks."""
    names = [*map(str, viewer_ids)]
    families = (exclusions.exclusions_key, graph_version_key, marks.version_key)
    return [key for family in families for key in keys_within(shard, family, names)]
