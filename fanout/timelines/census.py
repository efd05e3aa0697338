"""How many timelines there are, about, at a fixed cost: exactly while keys are few, else by a sample of them."""

from storage.redis.node import RedisNode, timeline_node
from storage.redis.reads import Command

COUNTED = 2_000
"""Keys that are all looked at: a millisecond or two of Redis, once in ten seconds."""
SAMPLED = 400
"""Of more keys: with a tenth of them timelines, the answer is right to 15 % two times in three."""
_SCANS = 4
"""A scan of COUNTED keys answers so many times at most before it is given up; nearly always once or twice."""


def active_timelines() -> int:
    """Returns about how many home timelines stand in Redis, those being built among them. Two to six round trips,
    and as many at each node of a cluster.

    Raises `Unavailable`.
    """
    return sum(map(_timelines_at, timeline_node().parts()))


def _timelines_at(node: RedisNode) -> int:
    [keys] = node.round_trip(("DBSIZE",))
    if keys <= COUNTED:
        return sum(1 for key in _all_keys(node) if _is_timeline(key))
    asked: list[Command] = [("RANDOMKEY",)] * SAMPLED
    met = [key for key in node.round_trip(*asked) if key is not None]
    of_timelines = sum(1 for key in met if _is_timeline(key))
    return round(int(keys) * of_timelines / max(len(met), 1))


def _all_keys(node: RedisNode) -> set[bytes]:
    found: set[bytes] = set()
    cursor = 0
    for _ in range(_SCANS):
        [(cursor, keys)] = node.round_trip(("SCAN", cursor, "COUNT", COUNTED))
        found.update(keys)
        if not int(cursor):
            break
    return found


def _is_timeline(key: bytes) -> bool:
    """By its family: `{t3/8}:home:<reader>`."""
    return key.split(b":")[1:2] == [b"home"]
