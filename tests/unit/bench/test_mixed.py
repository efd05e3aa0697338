"""Where the knee of the mixed load is, and what counts as kept."""

import random
from collections import Counter

import pytest

from bench.mixed import HOME, POST, SECONDS, USER, Step, _kept, _knee, _mix
from bench.open_loop import Answered, Offered
from bench.results import Row
from bench.seeding import Person


def step(rate: int, *, seconds: float = 0.02, errors: int = 0, behind: float = 0.0) -> Step:
    """Answers at even distances; the last one comes `behind` seconds after the arrivals' end."""
    count = int(rate * SECONDS)
    answers = [Answered(HOME, SECONDS * each / count, seconds, each >= errors) for each in range(count)]
    answers.append(Answered(HOME, SECONDS, behind, True))
    return Step(Offered(rate, answers), 0.1, 0)


def rows(steps: dict[int, list[Step]]) -> dict[str, Row]:
    return {row.case: row for row in _knee(steps)}


def test_a_rate_is_kept_while_it_is_fast_and_keeps_up() -> None:
    assert step(100).kept
    assert not step(100, seconds=0.6).kept, "p99"
    assert not step(100, behind=1.0).kept, "the last answer"
    assert step(100, errors=5).kept, "errors are told apart"


@pytest.mark.parametrize(("slow", "kept"), [(0, True), (1, True), (2, False), (3, False)])
def test_most_of_the_runs_decide(slow: int, kept: bool) -> None:
    assert _kept([step(50, seconds=0.6 if number < slow else 0.02) for number in range(3)]) is kept


def test_the_knee_is_the_greatest_rate_kept() -> None:
    steps = {50: [step(50)] * 3, 100: [step(100)] * 3, 200: [step(200, seconds=0.9)] * 2}
    assert rows(steps)["the knee: greatest rate kept"].ours.median == 100
    assert rows({50: [step(50, seconds=0.9)] * 2})["the knee: greatest rate kept"].ours.median == 0


def test_an_error_below_the_knee_is_counted_and_one_above_is_not() -> None:
    below = {50: [step(50), step(50, errors=1), step(50)], 100: [step(100, seconds=0.9, errors=7)] * 2}
    assert rows(below)["errors below the knee"].met is False
    above = {50: [step(50)] * 3, 100: [step(100, seconds=0.9, errors=7)] * 2}
    assert rows(above)["errors below the knee"].met is True


def test_the_mix_is_deathstarbench_s_and_everybody_s() -> None:
    people = [Person(number, f"token{number}") for number in range(50)]
    make = _mix(people, random.Random(1))
    requests = [make() for _ in range(10_000)]
    shares = {kind: count / 10_000 for kind, count in Counter(each.kind for each in requests).items()}
    assert shares == pytest.approx({HOME: 0.6, USER: 0.3, POST: 0.1}, abs=0.02)
    assert len({each.token for each in requests}) == 50
    bodies = [each.body for each in requests if each.kind == POST]
    assert len({*bodies}) == len(bodies)
    assert all(each.status == (201 if each.kind == POST else 200) for each in requests)
