"""Erasing what stands between somebody who has left and others: steps (people/erasing.py), one for each kind and end.

Edges go as their own person would have them go, with the graph versions of whoever's home they concern
(graph/follows.py). So who followed them has a timeline made anew, without them. Of who has left no version is raised:
they have no home, and an order for it would write down their number once more.
"""

from collections.abc import Callable, Sequence
from functools import partial

from accounts.graph import follows
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, FOLLOW_REQUEST, MUTE, SHUT_OUT
from accounts.people.erasing import Piece, Step
from storage import stores
from storage.ids.snowflakes import MAX_ID
from storage.ports.associations import MAX_CHANGES, Association, Change, End

PAGE = MAX_CHANGES // 2
"""Edges of a piece: each may have a mirror, and all go in one write."""
MIRRORS = {BLOCK: BLOCKED_BY, BLOCKED_BY: BLOCK}
IN_NO_HOME = (FOLLOW_REQUEST, SHUT_OUT)
"""Kinds of which nobody's home takes notice."""

Remove = Callable[[Sequence[Association]], None]


def edge_step(name: str, kind: str, end: End, remove: Remove) -> Step:
    """Returns the step of the edges of a kind that have the person at that end; `remove` takes PAGE at most."""

    def erase(person_id: int, place: int) -> Piece:
        edges = newest(person_id, kind, end, before=place or MAX_ID, limit=PAGE)
        if edges:
            remove(edges)
        return Piece(len(edges), edges[-1].op if len(edges) == PAGE else None)

    return Step(name, erase, lambda person_id: bool(newest(person_id, kind, end, before=MAX_ID, limit=1)))


def newest(person_id: int, kind: str, end: End, *, before: int, limit: int) -> list[Association]:
    """Returns edges of the kind that have the person at that end, the newest first. A few store reads."""
    store = stores.associations()
    read = store.newest_targets if end is End.SOURCE else store.newest_sources
    return read(person_id, kind, before=before, limit=limit)


def _part(kind: str, end: End, edges: Sequence[Association]) -> None:
    """Removes the edges, which have one person at that end, and their mirrors, as one operation."""
    op = stores.ids.next(above=max(edge.op for edge in edges))
    changes = [Change(each.source, kind, each.target, op, present=False) for each in edges]
    if kind in MIRRORS:
        changes += [Change(each.target, MIRRORS[kind], each.source, op, present=False) for each in edges]
    person_id = edges[0].source if end is End.SOURCE else edges[0].target
    follows.write(changes, op=op, readers=_readers(kind, changes, but=person_id))


def _readers(kind: str, changes: Sequence[Change], *, but: int) -> list[int]:
    return [] if kind in IN_NO_HOME else list({change.source: None for change in changes if change.source != but})


def _step(name: str, kind: str, end: End) -> Step:
    return edge_step(name, kind, end, partial(_part, kind, end))


FOLLOWERS_STEP = _step("followers", FOLLOW, End.TARGET)
"""Before their tweets: a deletion is worked off in the home of each follower whom the author has."""

GRAPH_STEPS: Sequence[Step] = (
    _step("following", FOLLOW, End.SOURCE),
    _step("requests to follow", FOLLOW_REQUEST, End.SOURCE),
    _step("requests received", FOLLOW_REQUEST, End.TARGET),
    _step("blocks", BLOCK, End.SOURCE),
    _step("blocked by", BLOCKED_BY, End.SOURCE),
    _step("mutes", MUTE, End.SOURCE),
    _step("muted by", MUTE, End.TARGET),
    _step("withheld from people", SHUT_OUT, End.SOURCE),
    _step("withheld people", SHUT_OUT, End.TARGET),
)
