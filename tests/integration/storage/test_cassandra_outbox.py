"""What only Cassandra's outbox can get wrong: the times at which its rows are written."""

from unittest.mock import patch

import pytest

from storage.cassandra import outbox as cassandra_outbox
from storage.cassandra import session
from storage.cassandra.outbox import CassandraOutbox
from storage.ids.snowflakes import MAX_ID, id_minute, make_id, now_us, spread
from storage.ports.outbox import SHARDS, Order
from tests.ids import new_id

pytestmark = [pytest.mark.cassandra, pytest.mark.usefixtures("cassandra", "empty_cassandra_outbox")]

MINUTE_US = 60_000_000


def test_an_order_whose_writer_stood_still_while_its_minute_was_forgotten_is_found() -> None:
    """It named the order's time, was stopped for minutes, and then sent it."""
    order = Order(make_id(now_us() - 5 * MINUTE_US, 1), "deliver", (new_id(), new_id()))
    forgotten_us = now_us() - MINUTE_US
    place = (spread(order.id, SHARDS), id_minute(order.id))
    session.execute("DELETE FROM outbox USING TIMESTAMP ? WHERE shard = ? AND minute = ?", (forgotten_us, *place))
    times = [now_us() - 5 * MINUTE_US]
    with patch.object(cassandra_outbox, "now_us", lambda: times.pop() if times else now_us()):
        CassandraOutbox().add(order)
    assert CassandraOutbox().open_order(order.id) == order
    assert order in CassandraOutbox().open_orders(before=MAX_ID, limit=10)
