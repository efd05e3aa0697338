"""How many people follow someone, and how many they follow, as the lists show it to a stranger.

People who are suspended are left out as soon as their order was worked off (graph/withheld.py), and come back with
their restoration alike: within seconds, but for who has hundreds of thousands of edges.
"""

from collections.abc import Sequence

from accounts.graph.kinds import FOLLOW, SHUT_OUT
from accounts.graph.withheld import count_standing
from storage.redis.count_cache import CountCache
from storage.redis.node import timeline_node
from storage.stores import associations


def _count_followers(user_id: int) -> int:
    def following_them(people: Sequence[int]) -> int:
        return len(associations().find_pairs([(each, FOLLOW, user_id) for each in people]))

    counted = associations().count_sources_many([user_id], (FOLLOW, SHUT_OUT))
    withheld = count_standing(user_id, SHUT_OUT, counted[SHUT_OUT][user_id], following_them)
    return max(counted[FOLLOW][user_id] - withheld, 0)


def _count_following(user_id: int) -> int:
    def followed_by_them(people: Sequence[int]) -> int:
        return len(associations().find(user_id, FOLLOW, people))

    total = associations().count_sources(user_id, SHUT_OUT)
    withheld = count_standing(user_id, SHUT_OUT, total, followed_by_them)
    return max(associations().count_targets(user_id, FOLLOW) - withheld, 0)


FOLLOWERS = CountCache(timeline_node, "followers", _count_followers)
FOLLOWING = CountCache(timeline_node, "following", _count_following)
