"""The pieces of a whole write in Cassandra: statements as bytes, and rows that are known to stand."""

import random

import pytest
from cassandra.query import UNSET_VALUE

from storage.cassandra import lasting, redo
from storage.cassandra.lasting import Known, Lasting
from storage.cassandra.session import Statement

ROW: Statement = ("INSERT INTO t (a, b) VALUES (?, ?) USING TIMESTAMP ?", (1, "a", 5))


def listing(owner: int, *, at: int = 5) -> Lasting:
    return Lasting("INSERT INTO months (owner, month) VALUES (?, ?) USING TIMESTAMP ?", (owner, 9, at))


def test_statements_come_back_as_they_were() -> None:
    values = [2**63 - 1, -1, 0, "", "ẗ̸̻ 👩‍👩‍👧 \u202e'\"$$;", True, False, [1, 2**62], []]
    written: list[Statement] = [("INSERT … ?", values), ("DELETE … ?", [7])]
    assert redo.decode(redo.encode(written)) == written


def test_what_is_unset_stays_unset() -> None:
    [(_, params)] = redo.decode(redo.encode([("INSERT … ?", (1, UNSET_VALUE, 2))]))
    assert params == [1, UNSET_VALUE, 2]


def test_a_record_of_much_the_same_is_small() -> None:
    dice = random.Random(1)
    statements = [(ROW[0] * 2, (dice.getrandbits(62), dice.getrandbits(62))) for _ in range(6)]
    assert len(redo.encode(statements)) < 400


class TestWhatIsKnownToStand:
    def test_is_left_out_once_it_was_acknowledged(self) -> None:
        known = Known()
        statements = [ROW, listing(1)]
        assert known.left_to_write(statements) == statements
        assert known.left_to_write(statements) == statements, "asking is no acknowledgement"
        known.remember(statements)
        assert known.left_to_write([ROW, listing(1, at=8), listing(2)]) == [ROW, listing(2)]

    def test_much_of_one_table_is_not_at_the_cost_of_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lasting, "REMEMBERED", 2)
        known, tags = Known(), "INSERT INTO tags (tag, month) VALUES (?, ?) USING TIMESTAMP ?"
        known.remember([listing(1), *[Lasting(tags, (str(number), 9, 5)) for number in range(9)]])
        assert known.left_to_write([listing(1)]) == []
        known.remember([listing(2), listing(3)])
        assert known.left_to_write([listing(1)]) == [listing(1)]

    def test_is_written_again_by_a_process_that_begins_anew(self) -> None:
        known = Known()
        known.remember([listing(1)])
        known.forget()
        assert known.left_to_write([listing(1)]) == [listing(1)]
