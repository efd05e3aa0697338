"""How many people follow someone, and how many they follow, as the lists show it to a stranger.

People who are suspended are left out as soon as their order was worked off (graph/withheld.py), and come back with
their restoration alike: within seconds, but for who has hundreds of thousands of edges.
"""

from collections.abc import Sequence

from accounts.graph.kinds import FOLLOW, SHUT_OUT
from accounts.graph.withheld import Lead, withheld_of
from storage.redis.count_cache import CountCache
from storage.redis.node import timeline_node
from storage.stores import associations


def _count_followers(people: Sequence[int]) -> dict[int, int]:
    def following_them(leads: Sequence[Lead]) -> list[Lead]:
        found = associations().find_pairs([(source, FOLLOW, target) for source, target in leads])
        return [(edge.source, edge.target) for edge in found]

    counted = associations().count_sources_many(people, (FOLLOW, SHUT_OUT))
    withheld = withheld_of(SHUT_OUT, counted[SHUT_OUT], following_them)
    return {each: max(counted[FOLLOW][each] - withheld[each], 0) for each in people}


def _count_following(people: Sequence[int]) -> dict[int, int]:
    def followed_by_them(leads: Sequence[Lead]) -> list[Lead]:
        found = associations().find_pairs([(target, FOLLOW, source) for source, target in leads])
        return [(edge.target, edge.source) for edge in found]

    shut_out = associations().count_sources_many(people, (SHUT_OUT,))[SHUT_OUT]
    withheld = withheld_of(SHUT_OUT, shut_out, followed_by_them)
    counted = associations().count_targets_many(people, FOLLOW)
    return {each: max(counted[each] - withheld[each], 0) for each in people}


FOLLOWERS = CountCache(timeline_node, "followers", _count_followers)
FOLLOWING = CountCache(timeline_node, "following", _count_following)
