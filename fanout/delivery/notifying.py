"""Working off an order that notifies: notices for whom it concerns, and then whoever shows them is told.

Nobody is notified by somebody whom they block or mute, who blocks them, or who is suspended: that is asked of the truth
when the notice is written, and again when it is shown (feed/notifications). A notice says neither who nor how many.
Nor is anybody notified while they are suspended, as whoever has left is for ever: nothing new names them.

The store first, then Redis: what people are shown of how much is new is counted anew (feed/notifications/unread.py),
and their sockets read what came. If either does not answer, the order stays open; done twice it writes the same.
"""

from collections.abc import Sequence

from accounts.account_cache.accounts import accounts_by_id
from accounts.graph.kinds import BLOCK, BLOCKED_BY, MUTE
from accounts.graph.notifications import CODES, KIND, NotificationType, news_changed
from fanout.live import channel
from fanout.orders.kinds import PoisonedOrder
from storage.ports.notices import Notice
from storage.ports.outbox import Order
from storage.redis.node import timeline_node
from storage.stores import associations, notices, outbox


def notify(order: Order) -> None:
    """Handles a NOTIFY_ORDER, and marks it done. Idempotent.

    The accounts, a store read, a write, a round trip and the order's mark; no write and no round trip if nobody is to
    be told. Raises `Unavailable`, and then the order stays open, and `PoisonedOrder` for malformed arguments.
    """
    actor, subject, told = _asked(order)
    recipients = _who_may_hear_of(actor, [recipient for _, recipient in told])
    written = [Notice(recipient, KIND[kind], subject, order.id) for kind, recipient in told if recipient in recipients]
    if written:
        notices().add(written)
        tell_of_news([notice.recipient for notice in written], order.id)
    outbox().mark_done_soon(order.id)


def tell_of_news(people: Sequence[int], place: int) -> None:
    """Has what is new for these people counted anew, and tells their sockets. A round trip. Raises `Unavailable`."""
    commands = [command for each in people for command in (news_changed(each), channel.news_command(each, place))]
    timeline_node().round_trip(*commands)


def _asked(order: Order) -> tuple[int, int, list[tuple[NotificationType, int]]]:
    if len(order.args) < 4 or len(order.args) % 2:
        raise PoisonedOrder(f"{order.kind} takes who, what, and pairs of type and person: not {order.args}")
    actor, subject, *pairs = order.args
    if unknown := {*pairs[::2]} - CODES.keys():
        raise PoisonedOrder(f"no types of notifications: {unknown}")
    return actor, subject, [(CODES[code], person) for code, person in zip(pairs[::2], pairs[1::2], strict=True)]


def _who_may_hear_of(actor: int, people: Sequence[int]) -> set[int]:
    """Returns those of them who are neither suspended nor have left, and neither block nor mute the actor nor are
    blocked; nobody if the actor is suspended. The accounts and a store read.
    """
    here = {each.id for each in accounts_by_id([actor, *people]).values() if not each.suspended}
    hearing = {*people} & here
    if actor not in here or not hearing:
        return set()
    kinds = (BLOCK, BLOCKED_BY, MUTE)
    between = associations().find_pairs([(each, kind, actor) for each in hearing for kind in kinds])
    return hearing - {edge.source for edge in between}
