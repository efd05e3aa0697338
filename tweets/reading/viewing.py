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
from accounts.graph.exclusions import Visibility
from accounts.graph.follows import graph_version_key
from storage.ids.snowflakes import id_us, now_us
from storage.redis.node import timeline_node
from storage.redis.reads import Read, T
from storage.redis.shards import Generations, by_shard, generation_key
from tweets.caches import marks
from tweets.caches.marks import CLOCK_SKEW, KnownMarks

YOUNG_SECONDS = 30
"""Half of the time for which a change of marks leaves its sign, as clocks differ."""
SKEW_US = 10_000_000


class Known(msgspec.Struct):
    """What a round trip has told of one viewer."""

    visibility: Visibility
    marks: KnownMarks | None = None
    unmarked: bool = False
    """It is proved that they have marked none of the tweets."""

    def tells(self, tweet_ids: Collection[int]) -> bool:
        """Returns whether it says what they see of these tweets, and have marked, without asking any further."""
        told = self.unmarked or (self.marks is not None and marks.tell(self.marks, tweet_ids))
        return told and self.visibility.is_known


class _Signs(msgspec.Struct, frozen=True):
    """Of a viewer, as Redis has them."""

    excluded: exclusions.Exclusions | None
    graph_version: bytes | None
    marks_version: bytes | None
    shard: int
    generation: bytes | None


def known_of(
    viewer_ids: Sequence[int], tweet_ids: Collection[int], extra: Read[T], *, home: bool
) -> tuple[dict[int, Known], T]:
    """Returns what Redis knows of each viewer in respect of the tweets, and what `extra` says.

    Whose exclusions it does not have is in there without them. One round trip; two if the marks of some have to be
    read. Raises `Unavailable`.
    """
    signs, answer = timeline_node().ask(_signs_of(viewer_ids), extra)
    found = {each: Known(Visibility(each, home=home)) for each in viewer_ids}
    proving = _generations_that_prove(tweet_ids)
    for viewer_id, said in signs.items():
        of_viewer = found[viewer_id]
        if said.excluded is not None:
            of_viewer.visibility.know(said.excluded)
        of_viewer.unmarked = not tweet_ids or (
            said.generation is not None
            and said.generation == proving.get(said.shard)
            and _is_unmarked(said, min(tweet_ids))
        )
    asked = [each for each in viewer_ids if not found[each].unmarked]
    for viewer_id, marked in zip(asked, timeline_node().ask_all([marks.read(each) for each in asked]), strict=True):
        found[viewer_id].marks = marked
    return found, answer


def known_without_redis(viewer_ids: Sequence[int]) -> dict[int, Known]:
    """Does the same of any place but home when Redis does not answer. Store reads for each. Raises `Unavailable`."""
    found = {each: Known(Visibility(each)) for each in viewer_ids}
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


def _is_unmarked(said: _Signs, oldest: int) -> bool:
    """Whether the viewer shows no change of marks since the oldest tweet. See above."""
    return (
        not marks.is_of_a_change(said.marks_version)
        and int.from_bytes(said.graph_version or b"", "big") + CLOCK_SKEW < oldest
    )


def _signs_of(viewer_ids: Sequence[int]) -> Read[Mapping[int, _Signs]]:
    """A command a shard."""
    shards = by_shard(viewer_ids)
    commands = tuple(("MGET", generation_key(shard), *_keys(viewers)) for shard, viewers in shards.items())

    def decode(*answers: Sequence[bytes | None]) -> dict[int, _Signs]:
        found = {}
        for (shard, viewers), (generation, *values) in zip(shards.items(), answers, strict=True):
            of_each = zip(values[::3], values[1::3], values[2::3], strict=True)
            for viewer_id, (excluded, graph, marked) in zip(viewers, of_each, strict=True):
                found[viewer_id] = _Signs(exclusions.decode((excluded, graph)), graph, marked, shard, generation)
        return found

    return Read(commands, decode)


def _keys(viewer_ids: Sequence[int]) -> list[str]:
    families = (exclusions.exclusions_key, graph_version_key, marks.version_key)
    return [key(each) for each in viewer_ids for key in families]
