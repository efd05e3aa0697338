"""The edges between two people."""

from accounts.graph import follows
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, MUTE
from accounts.models import User


def standing(one: User, other: User) -> set[tuple[str, str]]:
    """The edges between the two, by the truth."""
    pairs = {"out": (one.id, other.id), "back": (other.id, one.id)}
    kinds = (FOLLOW, BLOCK, BLOCKED_BY, MUTE)
    return {
        (way, kind)
        for way, (source, target) in pairs.items()
        for kind in kinds
        if follows.has_edge(source, kind, target)
    }
