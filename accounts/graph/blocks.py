"""Blocking and muting.

A block hides two people from each other everywhere and parts them; a mute hides someone from
one home timeline. Both are edges as follows are (graph/follows.py), in force when the call returns;
who may see whom is told by graph/exclusions.py.

**A block or a mute that stands is written again all the same**, above the last one: lifting it may have been begun
and be unfinished, which nobody can see here and whoever finishes writes would complete (docs/adr/044), after it was
answered that the two are apart. What is lifted already is not lifted again; there, that rare case is a known limit.
"""

from accounts.graph import follows
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, FOLLOW_REQUEST, MUTE
from storage import stores
from storage.errors import Refused
from storage.ports.associations import Change


def block(blocker_id: int, other_id: int) -> None:
    """Hides the two from each other and removes their follows, and requests to follow, both ways. Idempotent.

    Raises `Refused` (oneself), `NotFound` (no such person, or suspended), `Unavailable`. One
    atomic write; about five store reads, and a sixth when a follow raced it (see graph/follows.py).
    Called again it also removes a follow that a killed process has left beside the block.
    """
    if blocker_id == other_id:
        raise Refused("username", "You cannot block yourself.", code="blocking_oneself")
    ends = [(blocker_id, other_id), (other_id, blocker_id)]
    last = stores.associations().last_changes(
        [
            (blocker_id, BLOCK, other_id),
            *[(source, kind, target) for kind in (FOLLOW, FOLLOW_REQUEST) for source, target in ends],
        ]
    )
    if not last[0].present:
        follows.require_present(other_id)
    op = stores.ids.next(above=max(change.op for change in last))
    parted = [
        Change(each.source, each.kind, each.target, op, present=False)
        for each in last[1:]
        if each.kind == FOLLOW or each.present
    ]
    follows.write(
        [*_block_edges(blocker_id, other_id, op, present=True), *parted], op=op, readers=[blocker_id, other_id]
    )
    follows.part_if_blocked(blocker_id, other_id)


def unblock(blocker_id: int, other_id: int) -> None:
    """Lifts one's own block of anyone, suspended or not; follows do not come back. Idempotent.

    One store read, and the write if there was a block. Raises `Unavailable`.
    """
    edge = follows.last_change(blocker_id, BLOCK, other_id)
    if edge.present:
        op = stores.ids.next(above=edge.op)
        follows.write(_block_edges(blocker_id, other_id, op, present=False), op=op, readers=[blocker_id, other_id])
    else:
        follows.finish_unfinished(edge)


def mute(reader_id: int, author_id: int) -> None:
    """Leaves the author, and what others retweet of theirs, out of the reader's home. Idempotent.

    Raises `Refused` (oneself), `NotFound` (no such person, or suspended), `Unavailable`. One
    store read and the write, and one SQL read if the edge was not there.
    """
    if reader_id == author_id:
        raise Refused("username", "You cannot mute yourself.", code="muting_oneself")
    edge = follows.last_change(reader_id, MUTE, author_id)
    if not edge.present:
        follows.require_present(author_id)
    op = stores.ids.next(above=edge.op)
    follows.write([Change(reader_id, MUTE, author_id, op, present=True)], op=op, readers=[reader_id])


def unmute(reader_id: int, author_id: int) -> None:
    """Does the reverse, of anyone, suspended or not. Raises `Unavailable`. Idempotent."""
    edge = follows.last_change(reader_id, MUTE, author_id)
    if edge.present:
        follows.reverse(edge, readers=[reader_id])
    else:
        follows.finish_unfinished(edge)


def _block_edges(blocker_id: int, other_id: int, op: int, *, present: bool) -> list[Change]:
    """The block and its mirror; always changed together, so they stand or fall together."""
    return [
        Change(blocker_id, BLOCK, other_id, op, present),
        Change(other_id, BLOCKED_BY, blocker_id, op, present),
    ]
