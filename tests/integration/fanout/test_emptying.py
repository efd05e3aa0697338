"""`manage.py empty_redis`: nothing of an old moment is read again, and nothing is lost."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.graph import follows
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


def test_without_redis_it_says_so() -> None:
    with timeline_redis_down(), pytest.raises(CommandError) as raised:
        empty_redis()
    assert raised.value.returncode == 2
