"""Working off orders that notify: notices for whom they concern, and then whoever shows them is told.

Nobody is notified by somebody whom they block or mute, who blocks them, or who is suspended: that is asked of the truth
when the notice is written, and again when it is shown (feed/notifications). A notice says neither who nor how many.
Nor is anybody notified while they are suspended, as whoever has left is for ever: nothing new names them.

The store first, then Redis: what people are shown of how much is new is counted anew (feed/notifications/unread.py),
and their sockets read what came. If either does not answer, the orders stay open; done twice they write the same.

Orders that came together are worked off at once: of a thousand likes of one tweet one notice is written.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from accounts.account_cache.accounts import accounts_by_id
from accounts.graph.kinds import BLOCK, BLOCKED_BY, MUTE
from accounts.graph.notifications import CODES, KIND, news_changed
from fanout.live import channel
from fanout.orders.kinds import PoisonedOrder
from storage.errors import Unavailable
from storage.ports.notices import Notice
from storage.ports.outbox import Order
from storage.redis.node import PartlyUnavailable, timeline_node
from storage.stores import associations, notices, outbox


def notify(orders: Sequence[Order]) -> None:
    """Handles NOTIFY_ORDERs, and marks them done. Idempotent.

    However many they are: the accounts, a store read, a write of each notice, a round trip and a write of the marks; no
    write of notices and no round trip if nobody is to be told. Raises `Unavailable`, and then those are open of whose
    people a backend did not answer, and `PoisonedOrder` for malformed arguments of one.
    """
    told = [each for order in orders for each in _told_by(order)]
    hears = _who_may_hear({(each.recipient, each.actor) for each in told})
    written = _standing([each.notice for each in told if (each.recipient, each.actor) in hears])
    untold: set[int] = set()
    if written:
        notices().add(written)
        untold = tell_of_news({notice.recipient: notice.place for notice in written})
    waiting = {each.notice.place for each in told if each.recipient in untold}
    outbox().mark_all_done_soon([order.id for order in orders if order.id not in waiting])
    if untold:
        raise Unavailable(timeline_node().name)


def tell_of_news(places: Mapping[int, int]) -> set[int]:
    """Has what is new for these people counted anew, and tells their sockets; of each a place that is new. Returns
    whose node of a cluster did not answer.

    A round trip. Raises `Unavailable` if none did.
    """
    of_each = [(news_changed(person), channel.news_command(person, place)) for person, place in places.items()]
    try:
        timeline_node().round_trip(*(command for commands in of_each for command in commands))
    except PartlyUnavailable as partly:
        answers = iter(partly.answers)
        of_people = zip(places, zip(answers, answers, strict=True), strict=True)
        return {person for person, both in of_people if any(isinstance(each, Exception) for each in both)}
    return set()


class _Told(msgspec.Struct, frozen=True):
    """What an order says to one person of another."""

    actor: int
    notice: Notice

    @property
    def recipient(self) -> int:
        return self.notice.recipient


def _told_by(order: Order) -> list[_Told]:
    if len(order.args) < 4 or len(order.args) % 2:
        raise PoisonedOrder(f"{order.kind} takes who, what, and pairs of type and person: not {order.args}")
    actor, subject, *pairs = order.args
    if unknown := {*pairs[::2]} - CODES.keys():
        raise PoisonedOrder(f"no types of notifications: {unknown}")
    return [
        _Told(actor, Notice(person, KIND[CODES[code]], subject, order.id))
        for code, person in zip(pairs[::2], pairs[1::2], strict=True)
    ]


def _who_may_hear(pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Returns those pairs of recipient and actor of whom neither is suspended or has left, and the one neither blocks
    nor mutes the other nor is blocked. The accounts and a store read.
    """
    accounts = accounts_by_id({person for pair in pairs for person in pair})
    here = {each.id for each in accounts.values() if not each.suspended}
    hearing = {pair for pair in pairs if here.issuperset(pair)}
    kinds = (BLOCK, BLOCKED_BY, MUTE)
    between = associations().find_pairs([(person, kind, actor) for person, actor in hearing for kind in kinds])
    return hearing - {(edge.source, edge.target) for edge in between}


def _standing(told: Sequence[Notice]) -> list[Notice]:
    """Returns of each recipient, kind and subject the notice that counts, ascending by place."""
    standing: dict[tuple[int, str, int], Notice] = {}
    for notice in sorted(told, key=lambda notice: notice.place, reverse=True):
        key = notice.recipient, notice.kind.name, notice.subject
        if notice.kind.once or key not in standing:
            standing[key] = notice
    return sorted(standing.values(), key=lambda notice: notice.place)
