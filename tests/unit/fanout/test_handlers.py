"""The table of handlers: each kind once, and what becomes of a kind that nobody has registered."""

from unittest.mock import Mock, call, patch

import pytest

from accounts.graph.follows import GRAPH_ORDER
from accounts.graph.notifications import NOTIFY_ORDER
from accounts.people.leaving import LEAVE_ORDER
from accounts.people.purge import PURGE_ORDER
from accounts.people.withholding import WITHHOLD_ORDER
from config.orders import register_handlers
from fanout.delivery import celebrities
from fanout.orders import dispatch, handlers
from fanout.orders.handlers import Context, queue_of, register, work_off
from fanout.orders.kinds import BEGIN_PULLING, DELIVER, END_PULLING, RESTORE, RETRACT, TELL, PoisonedOrder
from fanout.orders.queues import BULK, FANOUT, GRAPH, NOTICES
from storage.ports.outbox import Order
from tweets.writing.withholding import WITHHOLD_RETWEETS_ORDER


def test_a_process_that_has_started_knows_every_kind_and_its_queue() -> None:
    assert {kind: queue_of(kind) for kind in handlers._table} == {
        DELIVER: FANOUT,
        TELL: FANOUT,
        RETRACT: FANOUT,
        RESTORE: FANOUT,
        BEGIN_PULLING: FANOUT,
        END_PULLING: FANOUT,
        GRAPH_ORDER: GRAPH,
        PURGE_ORDER: FANOUT,
        WITHHOLD_ORDER: FANOUT,
        WITHHOLD_RETWEETS_ORDER: FANOUT,
        NOTIFY_ORDER: NOTICES,
        LEAVE_ORDER: FANOUT,
    }


def test_kinds_in_the_store_are_called_what_they_have_always_been() -> None:
    of_tweets = {"deliver", "tell", "retract", "restore", "withhold-retweets"}
    kinds = {*of_tweets, "begin-pulling", "end-pulling", "graph", "forget", "withhold", "notify", "leave"}
    edges = (celebrities.PULLED_EDGE, celebrities.PUSH_STOPPED_EDGE, celebrities.PULLING_ENDED_EDGE)
    assert (set(handlers._table), edges) == (kinds, ("pulled", "unpushed", "ceased"))


def test_an_order_is_taken_as_announced_where_its_handler_looks_at_it_alone() -> None:
    assert handlers.announced(90, DELIVER, [90, 7]) == Order(90, DELIVER, (90, 7))
    assert handlers.announced(90, DELIVER, None) is None, "a message of the version before"
    others = set(handlers._table) - {DELIVER}
    assert [handlers.announced(90, kind, [90, 7]) for kind in (*others, "no such kind")] == [None] * (len(others) + 1)


def test_only_who_wrote_an_order_announces_it() -> None:
    order = Order(90, DELIVER, (90, 7))
    with patch.object(dispatch, "_send") as sent:
        dispatch.enqueue(order)
        dispatch.enqueue(order, resent=True)
        dispatch.enqueue(order, found=True)
    assert [each.kwargs.get("args") for each in sent.call_args_list] == [(90, 7), None, None]


def test_an_order_goes_to_the_handler_of_its_kind_with_how_it_came() -> None:
    handler = Mock()
    order = Order(1, "new", (2,))
    with patch.dict(handlers._table):
        register("new", handler, queue=GRAPH)
        assert queue_of("new") == GRAPH
        work_off(order)
        work_off(order, resent=True)
    assert handler.call_args_list == [call(order, Context(resent=False)), call(order, Context(resent=True))]


def test_a_kind_is_registered_once() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        register(DELIVER, Mock(), queue=FANOUT)
    with pytest.raises(ValueError, match="two handlers"):
        register_handlers()


def test_a_queue_that_no_sweep_looks_at_is_refused() -> None:
    with patch.dict(handlers._table), pytest.raises(ValueError, match="no queue of whole orders"):
        register("new", Mock(), queue=BULK)


def test_an_order_that_nobody_has_registered_is_poisoned_and_found_where_most_are() -> None:
    with pytest.raises(PoisonedOrder, match="no such kind of order: unheard of"):
        work_off(Order(1, "unheard of", ()))
    assert queue_of("unheard of") == FANOUT
