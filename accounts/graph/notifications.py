"""What people are notified of, and the order that has it written (fanout/delivery/notifying.py works it off).

Whoever does something that others are to be told of writes a `notify_order` with it: nothing is looked
up for it then, and nothing waits for it. A notice stands at the id of its order, so an order that is repeated writes
the same, and while it is open the watermark stands below what it will write.

Who has done what is not written but read where it stands: a like that was taken back, somebody who was blocked, are not
shown, and nothing here has to hear of it (docs/adr/052).
"""

from collections.abc import Iterable
from enum import StrEnum

from storage.ports.notices import Kind
from storage.ports.outbox import Order
from storage.redis.reads import Command
from storage.redis.shards import key_of_person
from storage.stores import ids

NOTIFY_ORDER = "notify"
"""The kind of order that notifies; its args are who did it, what it is about (NOTHING for people alone), and then of
each who is to be told the code of the type, and their id."""

NOTHING = 0
"""The subject of what is about people alone."""


class NotificationType(StrEnum):
    FOLLOW = "follow"
    FOLLOW_REQUEST = "follow_request"
    MENTION = "mention"
    REPLY = "reply"
    QUOTE = "quote"
    RETWEET = "retweet"
    LIKE = "like"


ONCE = frozenset({NotificationType.MENTION, NotificationType.REPLY, NotificationType.QUOTE})
"""Types of which each is about a tweet of its own; of the others many people's make one."""

ALONE = frozenset({NotificationType.FOLLOW, NotificationType.FOLLOW_REQUEST})
"""Types that are about people alone: of each there is one group."""

KIND = {each: Kind(each.value, once=each in ONCE, alone=each in ALONE) for each in NotificationType}
TYPE = {kind.name: each for each, kind in KIND.items()}

CODES = {
    1: NotificationType.FOLLOW,
    2: NotificationType.FOLLOW_REQUEST,
    3: NotificationType.MENTION,
    4: NotificationType.REPLY,
    5: NotificationType.QUOTE,
    6: NotificationType.RETWEET,
    7: NotificationType.LIKE,
}
"""As orders name types, which take numbers only. Orders that wait carry them: never another meaning for one."""
_CODE = {each: code for code, each in CODES.items()}

news_key = key_of_person("news")
"""Where the version of a person's news stands, another one whenever a notice was written or read: 8 bytes."""
NEWS_SECONDS = 3_600
"""Longer than any count of what is new is kept (feed/notifications/unread.py)."""


def notify_order(
    actor: int, subject: int, told: Iterable[tuple[NotificationType, int]], *, order_id: int | None = None
) -> Order | None:
    """Returns the order that tells people what `actor` did; None if that is nobody but the actor.

    Of several types for one person the first counts. `order_id` is that of what it announces, if that has no order of
    its own; else the order gets an id of now.
    """
    first: dict[int, NotificationType] = {}
    for kind, recipient in told:
        first.setdefault(recipient, kind)
    first.pop(actor, None)
    if not first:
        return None
    args = [each for recipient, kind in first.items() for each in (_CODE[kind], recipient)]
    return Order(order_id or ids.next(), NOTIFY_ORDER, (actor, subject, *args))


def follow_request_order(requester: int, asked: int) -> Order | None:
    """Returns the order that tells somebody that `requester` asks to follow them; to be written with the request."""
    return notify_order(requester, NOTHING, [(NotificationType.FOLLOW_REQUEST, asked)])


def news_changed(person_id: int) -> Command:
    """Returns the command that has it counted anew how much is new for the person; to be sent behind the store's write.

    The version is a fresh id each time: it is compared for equality, as the graph's is (graph/follows.py).
    """
    return ("SET", news_key(person_id), ids.next().to_bytes(8, "big"), "EX", NEWS_SECONDS)
