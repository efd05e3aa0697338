"""Commands fall into pieces by the slots of their keys, and the answers come together again."""

import pytest
from redis.crc import key_slot
from redis.exceptions import ConnectionError as NoConnection

from storage.redis.reads import Command
from storage.redis.slots import Incomplete, Piece, pieces_of, slot_of, together, without_missing

NO_ANSWER = NoConnection("down")


@pytest.mark.parametrize(
    "key", ["{t3/8}:home:7", "rate:address:1", "{}:x", "a{b}c{d}", "{{a}}", "x{", "}{a}", b"{t1/8}:x", 7]
)
def test_a_slot_is_that_which_servers_say(key: str | bytes | int) -> None:
    assert slot_of(key) == key_slot(key if isinstance(key, bytes) else str(key).encode())


def test_a_command_of_one_slot_stays_whole() -> None:
    command: Command = ("MGET", "{a}1", "{a}2")
    assert pieces_of([command]) == [Piece(0, slot_of("{a}"), command)]


def test_bodies_of_several_slots_come_back_in_their_places() -> None:
    commands: list[Command] = [("GET", "{c}"), ("MGET", "{a}1", "{b}1", "{a}2")]
    pieces = pieces_of(commands)
    assert [piece.command for piece in pieces] == [("GET", "{c}"), ("MGET", "{a}1", "{a}2"), ("MGET", "{b}1")]
    assert together(commands, pieces, [b"c", [b"a1", None], [b"b1"]]) == [b"c", [b"a1", b"b1", None]]


def test_numbers_of_pieces_are_added_up() -> None:
    commands: list[Command] = [("DEL", "{a}1", "{b}1")]
    assert together(commands, pieces_of(commands), [1, 1]) == [2]


def test_what_a_node_does_not_say_is_not_known_and_the_rest_is() -> None:
    command: Command = ("MGET", "{a}1", "{b}1")
    [answer] = together([command], pieces_of([command]), [[b"a1"], NO_ANSWER])
    assert isinstance(answer, Incomplete)
    assert without_missing(command, answer) == [b"a1", None]
    [nothing] = together([command], pieces_of([command]), [NO_ANSWER, NO_ANSWER])
    assert nothing is NO_ANSWER
    assert without_missing(command, nothing) == [None, None]


def test_the_time_is_that_of_the_server_that_was_asked_before() -> None:
    [_, clock] = pieces_of([("GET", "{a}"), ("TIME",)])
    assert clock.slot == slot_of("{a}")


def test_a_message_goes_to_the_node_of_its_channel() -> None:
    assert pieces_of([("PUBLISH", "{a}:live", b"x")]) == [Piece(0, slot_of("{a}"), ("SPUBLISH", "{a}:live", b"x"))]


@pytest.mark.parametrize("command", [("SCAN", 0), ("DBSIZE",), ("EVALSHA", "sha", 2, "{a}", "{b}")])
def test_what_no_cluster_takes_is_refused_here(command: Command) -> None:
    with pytest.raises(ValueError, match="is for one node"):
        pieces_of([command])
