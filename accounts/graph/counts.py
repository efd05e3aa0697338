"""How many people follow someone, and how many they follow: edges, suspended people's included."""

from accounts.graph.kinds import FOLLOW
from storage.redis.count_cache import CountCache
from storage.redis.node import timeline_node
from storage.stores import associations

FOLLOWERS = CountCache(
    timeline_node,
    "followers",
    lambda user_id: associations().count_sources(user_id, FOLLOW),
)
FOLLOWING = CountCache(
    timeline_node,
    "following",
    lambda user_id: associations().count_targets(user_id, FOLLOW),
)
