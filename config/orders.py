"""Which function handles which kind of order: the only place that knows all of them.

Registered once a process, when Django has loaded every package (config/apps.py); nothing is opened.
A new kind is a line here.
"""

from accounts.graph import follows
from accounts.graph.announcing import announce_by
from accounts.graph.follows import GRAPH_ORDER
from accounts.graph.notifications import NOTIFY_ORDER
from accounts.people import purge
from accounts.people.leaving import LEAVE_ORDER
from accounts.people.purge import PURGE_ORDER
from accounts.people.withholding import WITHHOLD_ORDER
from fanout.delivery import celebrities, fan_out, notifying
from fanout.orders.dispatch import dispatcher
from fanout.orders.handlers import register
from fanout.orders.kinds import BEGIN_PULLING, DELIVER, END_PULLING, RESTORE, RETRACT, TELL
from fanout.orders.queues import FANOUT, GRAPH, NOTICES
from feed.leaving import saga
from storage.ports.outbox import Order
from tweets.writing import restoring, withholding
from tweets.writing.changed import standing_of
from tweets.writing.withholding import WITHHOLD_RETWEETS_ORDER


def register_handlers() -> None:
    """Fills the table. Raises `ValueError` when it was filled before."""
    register(DELIVER, fan_out.deliver, queue=FANOUT, looks=True)
    register(TELL, fan_out.tell_hashtags, queue=FANOUT)
    register(RETRACT, withholding.retract, queue=FANOUT, standing_of=standing_of)
    register(RESTORE, restoring.handle, queue=FANOUT, standing_of=standing_of)
    register(BEGIN_PULLING, lambda order, _: celebrities.handle_beginning(order), queue=FANOUT)
    register(END_PULLING, lambda order, _: celebrities.handle_end(order), queue=FANOUT)
    register(GRAPH_ORDER, lambda order, _: follows.raise_versions(order.args, order.id), queue=GRAPH)
    register(LEAVE_ORDER, lambda order, _: saga.handle(order), queue=FANOUT)
    register(PURGE_ORDER, lambda order, _: purge.handle(order), queue=FANOUT)
    register(WITHHOLD_ORDER, lambda order, _: withholding.withhold_person(order), queue=FANOUT)
    register(WITHHOLD_RETWEETS_ORDER, lambda order, _: withholding.withhold_retweets(order), queue=FANOUT)
    announce_by(_send)
    register(NOTIFY_ORDER, lambda order, _: notifying.notify([order]), queue=NOTICES, together=notifying.notify)


def _send(order: Order) -> None:
    dispatcher.send(order)
