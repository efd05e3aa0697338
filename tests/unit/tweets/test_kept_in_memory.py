"""What processes keep of accounts and counts ends by age and number."""

import time

import pytest

from accounts.account_cache import accounts
from accounts.entities import Account
from tweets.caches import counts
from tweets.caches.counts import Counts

GENERATION = b"one"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def account(number: int) -> Account:
    return Account(number, f"p{number}", "", "", None, verified=False, suspended=False, is_staff=False)


class TestCards:
    def test_they_end_after_their_seconds(self, clock: Clock) -> None:
        memory = accounts._Memory()
        memory.keep({1: account(1)}, {}, GENERATION)
        clock.now += accounts.LOCAL_SECONDS - 0.1
        assert memory.hits([1], {}, GENERATION) == {1: account(1)}
        clock.now += 0.1
        assert memory.hits([1], {}, GENERATION) == {}

    def test_kept_anew_they_last_anew(self, clock: Clock) -> None:
        memory = accounts._Memory()
        memory.keep({1: account(1), 2: account(2)}, {}, GENERATION)
        clock.now += accounts.LOCAL_SECONDS - 1
        memory.keep({1: account(1)}, {}, GENERATION)
        clock.now += 2
        assert memory.hits([1, 2], {}, GENERATION) == {1: account(1)}

    def test_the_oldest_leave_when_there_are_too_many(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accounts, "LOCAL_ENTRIES", 2)
        memory = accounts._Memory()
        for number in range(4):
            memory.keep({number: account(number)}, {}, GENERATION)
        assert memory.hits(range(4), {}, GENERATION) == {2: account(2), 3: account(3)}

    def test_those_that_ended_leave_when_others_come(self, clock: Clock) -> None:
        memory = accounts._Memory()
        memory.keep({1: account(1)}, {}, GENERATION)
        clock.now += accounts.LOCAL_SECONDS
        memory.keep({2: account(2)}, {}, GENERATION)
        assert list(memory._entries) == [2]

    def test_another_generation_and_a_later_note_are_not_believed(self, clock: Clock) -> None:
        memory = accounts._Memory()
        memory.keep({1: account(1)}, {1: 5.0}, GENERATION)
        assert memory.hits([1], {1: 5.0}, GENERATION) == memory.hits([1], {}, None) == {1: account(1)}
        assert memory.hits([1], {1: 6.0}, GENERATION) == memory.hits([1], {}, b"two") == {}


class TestSpareCounts:
    def test_they_end_after_their_seconds(self, clock: Clock) -> None:
        spare = counts._Spare()
        spare.keep({1: Counts(likes=1)})
        clock.now += counts.SPARE_SECONDS / 2
        assert spare.of([1]) == {1: Counts(likes=1)}
        clock.now += counts.SPARE_SECONDS / 2
        assert spare.of([1]) is None

    def test_the_latest_is_shown(self, clock: Clock) -> None:
        spare = counts._Spare()
        spare.keep({1: Counts(likes=1)})
        clock.now += counts.SPARE_SECONDS * 0.6
        spare.keep({1: Counts(likes=2)})
        assert spare.of([1]) == {1: Counts(likes=2)}

    def test_none_are_known_unless_all_are(self, clock: Clock) -> None:
        spare = counts._Spare()
        spare.keep({1: Counts()})
        assert spare.of([1, 1]) == {1: Counts()}
        assert spare.of([1, 2]) is None

    def test_there_are_never_more_than_the_bound(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counts, "SPARE_ENTRIES", 4)
        spare = counts._Spare()
        for number in range(20):
            spare.keep({number: Counts()})
            assert len(spare._recent) + len(spare._older) <= 4
        assert spare.of([18, 19]) is not None
