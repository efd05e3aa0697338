"""Asking to follow somebody protected: what becomes of a request that `follows.follow` has made.

A request is an edge of a kind of its own, from whoever asks; it is in nobody's home, and counted nowhere. To accept it
is one operation that makes the follow and takes the request away, in force as any follow is (graph/follows.py).

**Whoever withdraws does not follow in the end.** Accepting and withdrawing race: the one has read that the request
stands, and writes the follow behind the other. So accepting takes its id before it reads; withdrawing, which reads
later if it read the request at all, has a greater one, and removes the follow together with the request. Where clocks
differ by more than that, whoever withdraws also looks for a follow behind its own write, and removes it.

For example, Bob has asked Ada, as operation 100:

1. Ada accepts: her request takes the id 110, and reads the request of 100.
2. Bob withdraws, as 112: no request, and no follow. He is answered.
3. Ada's write comes, as 110: a follow, and no request. Both lose to 112, and Bob follows nobody.

**A block ends requests** both ways, as it ends follows: whoever comes second sees the other (`part_if_blocked`).
Suspension hides a request; it stands again with its person. Becoming open to everybody accepts nobody: requests stay
until they are answered, or until whoever asked follows anew, which takes the request away.
"""

from django.conf import settings

from accounts.entities import Account
from accounts.graph import follows
from accounts.graph.kinds import FOLLOW, FOLLOW_REQUEST
from accounts.people.selectors import find_account, shut_out_among
from storage import stores
from storage.errors import NotFound, Refused
from storage.ports.associations import Change


def accept(author_id: int, requester_id: int) -> None:
    """Has the requester follow the author, in force when this returns. Idempotent: who follows already does.

    Raises `NotFound` (no such request, or of somebody suspended or blocked), `Refused` (they follow MAX_FOLLOWING
    already), `Unavailable`. One SQL read, seven store reads, two store writes and one Redis round trip.
    """
    op = stores.ids.next()
    request, edge = stores.associations().last_changes(
        [(requester_id, FOLLOW_REQUEST, author_id), (requester_id, FOLLOW, author_id)]
    )
    if not (request.present or edge.present) and request.op > edge.op:
        # Accepted already, in a write that broke off between the two.
        follows.finish_unfinished(request)
        edge = follows.last_change(requester_id, FOLLOW, author_id)
    if edge.present and not request.present:
        follows.finish_unfinished(edge)
        return
    if not request.present or follows.standing_block(author_id, requester_id) is not None:
        raise _no_such_request()
    if shut_out_among([requester_id]):
        raise _no_such_request()
    if stores.associations().count_targets(requester_id, FOLLOW) >= settings.MAX_FOLLOWING:
        message = f"They already follow {settings.MAX_FOLLOWING} people."
        raise Refused("username", message, code="following_too_many")
    newest = max(request.op, edge.op)
    op = op if op > newest else stores.ids.next(above=newest)
    made = Change(requester_id, FOLLOW, author_id, op, present=True)
    answered = Change(requester_id, FOLLOW_REQUEST, author_id, op, present=False)
    follows.write([made, answered], op=op, readers=[requester_id])
    if follows.part_if_blocked(requester_id, author_id) is not None:
        raise _no_such_request()


def refuse(author_id: int, requester_id: int) -> None:
    """Takes the request away; who asked is told nothing, and may ask again.

    Raises `NotFound` (no such request), `Unavailable`. Two store reads and two writes.
    """
    request = follows.last_change(requester_id, FOLLOW_REQUEST, author_id)
    if not request.present:
        raise _no_such_request()
    follows.reverse(request, readers=[])


def find_requester(username: str) -> Account:
    """Returns the account of that name. Raises `NotFound` in the words of a request that there is not: who asks is
    not told whether there is such a person."""
    try:
        return find_account(username)
    except NotFound as error:
        raise _no_such_request() from error


def _no_such_request() -> NotFound:
    return NotFound("Nobody of that name asks to follow you.")
