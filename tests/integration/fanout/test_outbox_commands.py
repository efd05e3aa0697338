"""`manage.py outbox` and `manage.py dead_letters`, as an operator uses them."""

from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command

from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.management.commands import dead_letters as dead_letters_command
from storage.management.commands import outbox as outbox_command
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import Order
from storage.stores import dead_letters, outbox
from tests.ids import new_id

pytestmark = pytest.mark.usefixtures("empty_outbox")


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=out)
    return out.getvalue()


def refused(*words: str) -> str:
    """What a command says that ends with status 1."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*words, stdout=out, stderr=out)
    assert ended.value.code == 1
    return out.getvalue()


def a_letter(order_id: int | None = None) -> int:
    order = Order(order_id or new_id(), "deliver", (11, 22))
    outbox().add(order)
    dead_letters().bury(DeadLetter(order, "ValueError: no such thing", 5, 1_700_000_000_123_456))
    return order.id


def test_the_outbox_at_rest_and_with_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("outbox") == "open orders: 0\ndead letters: 0\n"
    oldest = make_id(now_us() - 90_000_000, 1)
    for order_id in (oldest, new_id()):
        outbox().add(Order(order_id, "deliver", (1, 2)))
    a_letter()
    lines = run("outbox").splitlines()
    assert lines[0] == "open orders: 2"
    assert lines[1].startswith(f"the oldest:  {oldest}, 9")
    assert lines[2] == "dead letters: 1; see manage.py dead_letters list"
    monkeypatch.setattr(outbox_command, "COUNTED", 2)
    assert run("outbox").splitlines()[0] == "open orders: at least 2"


def test_listing() -> None:
    assert run("dead_letters", "list") == "no dead letters\n"
    ids = [a_letter() for _ in range(3)]
    line = "{}  deliver 11 22  5 attempts  2023-11-14T22:13:20.123Z  ValueError: no such thing"
    assert run("dead_letters", "list").splitlines() == [line.format(each) for each in reversed(ids)]
    assert run("dead_letters", "list", "--oldest-first", "--limit", "2").splitlines() == [
        *(line.format(each) for each in ids[:2]),
        f"there may be more: --after {ids[1]}",
    ]
    assert run("dead_letters", "list", "--limit", "1", "--before", str(ids[2])).splitlines() == [
        line.format(ids[1]),
        f"there may be more: --before {ids[1]}",
    ]


@pytest.mark.parametrize(("verb", "done", "open_afterwards"), [("replay", "replayed", 2), ("drop", "dropped", 0)])
def test_acting_on_some(verb: str, done: str, open_afterwards: int) -> None:
    one, other, kept, stranger = a_letter(), a_letter(), a_letter(), new_id()
    assert run("dead_letters", verb, str(one)) == f"{done} 1\n"
    assert refused("dead_letters", verb, str(stranger), str(other), str(one)) == (
        f"{stranger} is no dead letter\n{one} is no dead letter\n{done} 1\n"
    )
    assert [letter.order.id for letter in dead_letters().page(limit=9)] == [kept]
    assert outbox().count_open(limit=9) == open_afterwards


@pytest.mark.parametrize(("verb", "done", "open_afterwards"), [("replay", "replayed", 5), ("drop", "dropped", 0)])
def test_acting_on_all(verb: str, done: str, open_afterwards: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters_command, "PAGE", 2)
    for _ in range(5):
        a_letter()
    assert run("dead_letters", verb, "--all") == f"{done} 5\n"
    assert run("dead_letters", verb, "--all") == f"{done} 0\n"
    assert outbox().count_open(limit=9) == open_afterwards


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--limit", "0"],
        ["list", "--limit", "1001"],
        ["list", "--before", "x"],
        ["replay"],
        ["drop", "12x"],
        ["drop", "1", "--all"],
        ["exhume"],
        [],
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    kept = a_letter()
    with pytest.raises(CommandError):
        run("dead_letters", *words)
    assert dead_letters().read(kept) is not None


def test_without_the_store_they_say_so() -> None:
    for port, name, words in (
        (outbox(), "count_open", ["outbox"]),
        (dead_letters(), "page", ["dead_letters", "list"]),
        (dead_letters(), "drop", ["dead_letters", "drop", "1"]),
    ):
        with patch.object(type(port), name, side_effect=Unavailable("store")), pytest.raises(CommandError) as error:
            run(*words)
        assert (error.value.returncode, "store does not answer" in str(error.value)) == (2, True)
