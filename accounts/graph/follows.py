"""Following, and what every change of the graph does: edges, orders and each reader's graph version.

A change writes its edges together with an order in the outbox (`Order("graph", readers)`), and
then raises the **graph version** in Redis of every reader whose home it changes. A timeline,
and what a reader's exclusions are cached as, remember the version under which they were made;
one of another version is not used any more.

A version is a fresh snowflake each time it is raised, never the operation's own id, and is
compared for equality only. Were it the operation's id, an order worked off twice could
bring an old version back, and with it a timeline that was built before a later change.

For example, Ben's timeline was built after he followed Ada as operation 100; as 110 he unfollows her. Were the
version the operation's id, it would be 110 now; the order of 100, sent again, would make it 100, and his timeline with
Ada in it would count again. As it is, the order makes it 117, and his next read builds the timeline anew.

If Redis did not take the version, the order stays open and the sweeper raises it again; so does the
process that made the change, as soon as Redis is back (storage/redis/deferred_writes.py).

**A follow and a block never both stand.** Per edge the operation with the greater id wins, so a
block that comes later removes the follow by itself; but a follow with the greater id outlives
the block's removal. Both therefore write first and then read what the other writes
(`part_if_blocked`), at a consistency at which a completed write is seen. Whichever of the two
reads last does so after both have written, sees both edges, and removes the follow.
The removal's id is made before the block is read: a block seen then had not been lifted, so anyone
who follows again after it was lifted has the greater id, and stays. A process killed between its
write and its read may leave both: the block hides the two all the same, and blocking again
removes the follow.

For example, Ben follows Ada just as she blocks him:

1. Ben's request sees no block; Ada's sees no follow, and takes the id 99 for her block and the removal of follows.
2. Ben's follow is written as 100. Ada's block is written as 99; its removal of the follow loses to 100. Both stand.
3. Ada's request reads the follow of 100, takes the id 103, sees her block, and removes the follow as 103.
4. Ben's request reads after 100 was written. If it sees the block, it does as in 3, and refuses; if not, the block
   was written after it looked, so Ada's request looks later still and does 3.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial

from django.conf import settings

from accounts.entities import Account, Relationship
from accounts.graph import announcing, counts
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW, FOLLOW_REQUEST, MUTE
from accounts.graph.notifications import NOTHING, NotificationType, follow_request_order, notify_order
from accounts.people.selectors import get_account
from storage import stores
from storage.errors import Forbidden, NotFound, Refused, Unavailable
from storage.ports.associations import Change
from storage.ports.outbox import Order
from storage.redis.deferred_writes import timeline_writes
from storage.redis.node import timeline_node
from storage.redis.reads import Command
from storage.redis.shards import key_of_person

GRAPH_ORDER = "graph"
"""The kind of order that raises graph versions; its args are the ids of one or more readers."""

DAY_SECONDS = 86_400


def follow(reader_id: int, author_id: int) -> None:
    """Makes the reader follow the author, in force when this returns; of somebody protected, asks to. Idempotent.

    Raises `Refused` (oneself; `MAX_FOLLOWING` reached, which requests racing each other may
    overshoot by their number, and in which what the reader asks for counts if they ask), `NotFound` (no such author,
    or suspended), `Forbidden` (one blocks the other), `Unavailable`. One SQL read, seven store reads, two store writes
    and one Redis round trip; if the edge is there already, two store reads (see `finish_unfinished`). To ask takes one
    store read more and no round trip.
    """
    if reader_id == author_id:
        raise Refused("username", "You cannot follow yourself.", code="following_oneself")
    edge, request = _follow_and_request(reader_id, author_id)
    if edge.present:
        finish_unfinished(edge)
        return
    asks = bool(require_present(author_id).protected)
    _refuse(standing_block(reader_id, author_id))
    if asks and request.present:
        return
    _refuse_too_many(reader_id, (FOLLOW, FOLLOW_REQUEST) if asks else (FOLLOW,))
    if asks:
        told = follow_request_order(reader_id, author_id)
        reverse(request, readers=[], also=told)
    else:
        told = notify_order(reader_id, NOTHING, [(NotificationType.FOLLOW, author_id)])
        if request.present:
            _end([request], and_make=edge, readers=[reader_id], also=told)
        else:
            reverse(edge, readers=[reader_id], also=told)
    announcing.announce(told)
    _refuse(part_if_blocked(reader_id, author_id))


def unfollow(reader_id: int, author_id: int) -> None:
    """Ends a follow, or takes a request back, of anyone, suspended or gone. One store read; two writes and a round trip
    if there was an edge, else another read (see `finish_unfinished`). Of a request a read more (requests.py)."""
    edge, request = _follow_and_request(reader_id, author_id)
    if not request.present and edge.present:
        reverse(edge, readers=[reader_id])
        return
    if not request.present and request.op <= edge.op:
        finish_unfinished(edge)
        return
    # Answered by itself, the request may have been accepted in a write of which the follow is still to come.
    _end([request, edge], readers=[reader_id] if edge.present or not request.present else [])
    accepted = last_change(reader_id, FOLLOW, author_id)
    if accepted.present:
        reverse(accepted, readers=[reader_id])


def _follow_and_request(reader_id: int, author_id: int) -> list[Change]:
    return stores.associations().last_changes([(reader_id, FOLLOW, author_id), (reader_id, FOLLOW_REQUEST, author_id)])


def _refuse_too_many(reader_id: int, kinds: Sequence[str]) -> None:
    if sum(stores.associations().count_targets(reader_id, kind) for kind in kinds) >= settings.MAX_FOLLOWING:
        raise Refused("username", f"You already follow {settings.MAX_FOLLOWING} people.", code="following_too_many")


def _end(
    edges: Sequence[Change], *, and_make: Change | None = None, readers: Sequence[int], also: Order | None = None
) -> None:
    """Removes edges, whether or not they stand, and makes another one, all as one operation. Costs as `write`."""
    op = stores.ids.next(above=max(each.op for each in [*edges, *([and_make] if and_make else [])]))
    changes = [Change(each.source, each.kind, each.target, op, present=False) for each in edges]
    if and_make is not None:
        changes.append(Change(and_make.source, and_make.kind, and_make.target, op, present=True))
    write(changes, op=op, readers=readers, also=also)


def part_if_blocked(one_id: int, other_id: int) -> str | None:
    """Removes the follows, and requests to follow, that stand between two of whom one blocks the other; answers
    `standing_block`.

    To be called after the write of a follow, a request or a block (see above). Three store reads at most, and
    the removal's writes when there is a block and something to remove.
    """
    ends = [(one_id, other_id), (other_id, one_id)]
    edges = [(source, kind, target) for kind in (FOLLOW, FOLLOW_REQUEST) for source, target in ends]
    standing = [each for each in stores.associations().last_changes(edges) if each.present]
    op = stores.ids.next(above=max(each.op for each in standing)) if standing else 0
    block = standing_block(one_id, other_id)
    if block is not None and standing:
        removals = [Change(each.source, each.kind, each.target, op, present=False) for each in standing]
        write(removals, op=op, readers=[each.source for each in standing if each.kind == FOLLOW])
    return block


def standing_block(one_id: int, other_id: int) -> str | None:
    """Returns BLOCK when one blocks the other, BLOCKED_BY the other way round, else None. Two store reads at most."""
    return next((kind for kind in (BLOCK, BLOCKED_BY) if has_edge(one_id, kind, other_id)), None)


def last_change(source: int, kind: str, target: int) -> Change:
    """Returns what made the edge stand, or not stand; see `AssociationStore.last_changes`. One store read."""
    [change] = stores.associations().last_changes([(source, kind, target)])
    return change


def reverse(last: Change, *, readers: Sequence[int], also: Order | None = None) -> None:
    """Removes the edge that stands, or makes the one that does not; costs and errors as of `write`."""
    op = stores.ids.next(above=last.op)
    write([Change(last.source, last.kind, last.target, op, not last.present)], op=op, readers=readers, also=also)


def write(changes: Sequence[Change], *, op: int, readers: Sequence[int], also: Order | None = None) -> None:
    """Writes the changes of one operation with their order, and puts them in force for `readers`.

    Without readers nobody's home is concerned: the changes are in force when they are written, with no order of theirs,
    and no round trip but for the counts of follows.
    `also` is an order that is written with them, and is nobody's here to send.
    Two store writes and one Redis round trip. Raises `Unavailable` when the store does not
    answer; without Redis, the order stays open, and this process tries again when Redis is back.
    """
    order = Order(id=op, kind=GRAPH_ORDER, args=tuple(readers)) if readers else None
    stores.associations().apply(changes, order=order or also, also=also if order else None)
    follows = [change for change in changes if change.kind == FOLLOW]
    if readers or follows:
        _bring_into_force(readers, op, _counted(follows))


def finish_unfinished(standing: Change) -> None:
    """Brings the last change of an edge into force if its order is still open. One store read; then as `write`.

    Call it when there is nothing to change, before that is answered: whoever changed it may not have come
    so far as to put it in force, and may have told their client so.
    """
    order = stores.outbox().finished_order(standing.op) if standing.op else None
    if order is not None:
        # Of a request that was accepted the follow was made by the same operation.
        follows = [standing] if standing.kind in (FOLLOW, FOLLOW_REQUEST) else []
        _bring_into_force(order.args, order.id, _counted(follows))


def _counted(follows: Sequence[Change]) -> list[Command]:
    return counts.FOLLOWING.invalidate([change.source for change in follows]) + counts.FOLLOWERS.invalidate(
        [change.target for change in follows]
    )


def _bring_into_force(readers: Sequence[int], op: int, counted: Sequence[Command]) -> None:
    put_in_force = partial(_put_in_force, readers, op, counted)
    try:
        put_in_force()
    except Unavailable:
        timeline_writes.keep(put_in_force)


def _put_in_force(readers: Sequence[int], op: int, counted: Sequence[Command]) -> None:
    """Raises `Unavailable` when the versions could not be raised; that the order stays open is no matter."""
    _raise(readers, counted)
    if readers:
        with suppress(Unavailable):
            stores.outbox().mark_done(op)


def raise_versions(user_ids: Sequence[int], op: int) -> None:
    """Handles the graph order `op`: what was made of these people's graph before now is outdated.

    Idempotent. Raises `Unavailable`, and then the order is still open.
    """
    _raise(user_ids)
    stores.outbox().mark_done(op)


def _raise(user_ids: Sequence[int], also: Sequence[Command] = ()) -> None:
    """The key outlives every timeline it could outdate: those not read for ACTIVE_DAYS are gone."""
    version = stores.ids.next().to_bytes(8, "big")
    seconds = (settings.ACTIVE_DAYS + 1) * DAY_SECONDS
    raises: list[Command] = [("SET", graph_version_key(each), version, "EX", seconds) for each in user_ids]
    timeline_node().round_trip(*raises, *also)


graph_version_key = key_of_person("graph")
"""Where a person's graph version stands: 8 bytes; nothing there is a version like any other."""


def relationship(viewer_id: int, other_id: int) -> Relationship:
    """Returns how the viewer stands to the other. One store read; none for oneself."""
    return relationships(viewer_id, [other_id])[other_id]


def relationships(viewer_id: int, people: Collection[int]) -> dict[int, Relationship]:
    """Returns how the viewer stands to each of them. One store read; none for oneself."""
    others = [each for each in people if each != viewer_id]
    asked = [(viewer_id, kind, each) for kind in (FOLLOW, FOLLOW_REQUEST, BLOCK, MUTE) for each in others]
    asked += [(each, FOLLOW, viewer_id) for each in others]
    edges = stores.associations().find_pairs(asked) if asked else []
    found = {(edge.source, edge.kind, edge.target) for edge in edges}
    return {
        each: Relationship(
            following=(viewer_id, FOLLOW, each) in found,
            followed_by=(each, FOLLOW, viewer_id) in found,
            blocking=(viewer_id, BLOCK, each) in found,
            muting=(viewer_id, MUTE, each) in found,
            requested=(viewer_id, FOLLOW_REQUEST, each) in found and (viewer_id, FOLLOW, each) not in found,
        )
        for each in people
    }


def has_edge(source: int, kind: str, target: int) -> bool:
    """Returns whether the edge stands. One store read."""
    return target in stores.associations().find(source, kind, [target])


def require_present(user_id: int) -> Account:
    """Returns the account of someone who is there and not suspended. One SQL query. Raises `NotFound`."""
    account = get_account(user_id)
    if account.suspended:
        raise NotFound("There is no such person.")
    return account


def _refuse(block: str | None) -> None:
    if block == BLOCK:
        raise Forbidden("You block this person; unblock them first.", code="blocking")
    if block == BLOCKED_BY:
        raise Forbidden("You may not follow this person.", code="blocked")
