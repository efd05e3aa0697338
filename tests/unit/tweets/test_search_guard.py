"""Which answers of an index close the search, and which do not."""

from collections.abc import Iterator

import pytest

from storage.breakers import State
from storage.errors import Unavailable
from tests.backends import Probes, probes_by_hand
from tweets.search.embedded import EmbeddedIndex
from tweets.search.guarded import FAILURES, LATE_FAILURES, GuardedIndex
from tweets.search.port import BACKEND, Answered, Hurried, Late


@pytest.fixture
def probes() -> Iterator[Probes]:
    with probes_by_hand() as by_hand:
        yield by_hand


class Index(EmbeddedIndex):
    """One whose figure is asked for, and that answers as it is told."""

    def __init__(self) -> None:
        self.says: Exception | None = None

    def count(self) -> int:
        if self.says is not None:
            raise self.says
        return 0

    def ping(self) -> None:
        raise Unavailable(BACKEND)


def after(*answers: Exception | None) -> State:
    """What the breaker of an index is that has given these answers."""
    index = Index()
    guarded = GuardedIndex(index)
    for index.says in answers:
        if index.says is None:
            guarded.count()
        else:
            with pytest.raises(type(index.says)):
                guarded.count()
    return guarded.breaker.state


def silent() -> Unavailable:
    return Unavailable(BACKEND)


def test_silence_in_a_row_closes_the_search(probes: Probes) -> None:
    assert after(*[silent()] * (FAILURES - 1)) is State.CLOSED
    assert after(*[silent()] * FAILURES) is State.OPEN


def test_silences_among_answers_of_any_kind_do_not(probes: Probes) -> None:
    assert after(silent(), Late(), silent(), Late(), Answered(), silent(), Answered(), silent()) is State.CLOSED
    assert after(silent(), Answered(), silent(), Answered(), silent()) is State.CLOSED


def test_whom_there_was_no_time_to_answer_says_nothing_of_silences(probes: Probes) -> None:
    assert after(silent(), Hurried(), silent(), Hurried(), silent()) is State.OPEN


@pytest.mark.parametrize("kind", [Late, Hurried])
def test_many_that_were_late_close_it_unless_one_went_well(probes: Probes, kind: type[Late]) -> None:
    many = [kind() for _ in range(LATE_FAILURES - 1)]
    assert after(*many, None, *many) is State.CLOSED
    assert after(*many, kind()) is State.OPEN
