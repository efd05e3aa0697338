"""`manage.py empty_redis`: nothing of an old moment is read again, and nothing is lost."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.graph import follows
from fanout.live.watermark import TOLD_KEY
from fanout.management.commands.empty_redis import OF_TIMELINES
from storage.redis.connections import connect
from storage.redis.generations import begin
from storage.redis.node import broker_node, timeline_node
from storage.redis.shards import generation_key
from storage.stores import outbox
from tests.backends import timeline_redis_down
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


def empty_redis(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("empty_redis", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_both_are_emptied_and_all_comes_back() -> None:
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    home(reader)
    delivered = post(author)
    work_off_everything()
    open_still = post(author)
    broker_node().round_trip(("RPUSH", "graph", "of an old moment"))
    before = begin(timeline_node())
    lines = empty_redis("--dry-run")
    assert in_redis(reader) is not None
    assert all(line.split()[-1] == "keys" for line in lines)
    assert "@" not in "".join(lines), "no password"
    lines = empty_redis()
    assert [line.split()[0] for line in lines] == ["timelines"] * (len(lines) - 1) + ["broker"]
    assert in_redis(reader) is None
    assert timeline_node().round_trip(("EXISTS", generation_key(0))) == [1], "a new one, before anybody comes"
    assert begin(timeline_node()) != before
    assert broker_node().round_trip(("EXISTS", "graph")) == [0]
    assert outbox().open_order(open_still) is not None
    assert home(reader) == [open_still, delivered]


def test_what_live_processes_are_told_is_ours_even_where_nothing_else_stands() -> None:
    """As in a primary of a cluster that has none of the shards."""
    assert OF_TIMELINES.match(TOLD_KEY.encode())


def test_without_redis_it_says_so() -> None:
    with timeline_redis_down(), pytest.raises(CommandError) as raised:
        empty_redis()
    assert raised.value.returncode == 2


def test_what_is_somebody_else_s_is_not_even_greeted() -> None:
    """As on the ports that are taken where no address is given."""
    begin(timeline_node())
    node = connect(timeline_node().url)
    node.flushdb()
    node.set("their-shop:cart", "full")
    timeline_node().disconnect()
    for argument in ("--dry-run", "--verbosity=0"):
        with pytest.raises(CommandError, match="'their-shop:cart' among them") as raised:
            empty_redis(argument)
        assert raised.value.returncode == 2
    assert node.get("their-shop:cart") == b"full"
    empty_redis("--force")
    assert node.get("their-shop:cart") is None
    broker_node().round_trip(("FLUSHDB",), ("SET", "their-shop:queue", "full"))
    with pytest.raises(CommandError, match="'their-shop:queue' among them"):
        empty_redis()
    assert broker_node().round_trip(("GET", "their-shop:queue")) == [b"full"]
    broker_node().round_trip(("FLUSHDB",))
