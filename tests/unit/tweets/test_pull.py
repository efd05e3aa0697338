"""The merge of many authors' entries: exactly the nearest, whatever the sample says, and little read."""

import random
from collections.abc import Sequence

import pytest

from tweets.stores.pull import nearest_of

MOST = 1 << 40


class Store:
    """Authors' entries, read as the port's stores read them; counts rows and rounds."""

    def __init__(self, entries: dict[int, list[int]]) -> None:
        self._entries = entries
        self.rows = self.rounds = 0

    def nearest(self, *, low: int = 1, high: int = MOST, limit: int, upwards: bool = False) -> list[int]:
        def fetch(authors: Sequence[int], between: tuple[int, int], share: int) -> dict[int, list[int]]:
            assert len(authors) == len(set(authors))
            found = {author: self._between(author, between, share, upwards) for author in authors}
            self.rows += sum(map(len, found.values()))
            self.rounds += 1
            return {author: ids for author, ids in found.items() if ids}

        return nearest_of(list(self._entries), low=low, high=high, limit=limit, upwards=upwards, fetch=fetch)

    def true(self, *, low: int = 1, high: int = MOST, limit: int, upwards: bool = False) -> list[int]:
        inside = (each for ids in self._entries.values() for each in ids if low <= each <= high)
        return sorted(inside, reverse=not upwards)[:limit]

    def _between(self, author: int, between: tuple[int, int], share: int, upwards: bool) -> list[int]:
        inside = (each for each in self._entries[author] if between[0] <= each <= between[1])
        return sorted(inside, reverse=not upwards)[:share]


def a_store(dice: random.Random, authors: int, *, each: float, skew: float = 0.0) -> Store:
    """Entries at random times; with `skew`, some authors write very much and most nothing."""
    taken = iter(dice.sample(range(2, MOST), k=int(authors * each * 4) + 400))
    sizes = [min(300, int(each * dice.paretovariate(skew) / 3 if skew else each)) for _ in range(authors)]
    while sum(sizes) > authors * each * 4 + 400:
        sizes[sizes.index(max(sizes))] = 0
    return Store({10_000 + number: [next(taken) for _ in range(size)] for number, size in enumerate(sizes)})


@pytest.mark.parametrize("authors", [1, 30, 399, 400, 1_100])
@pytest.mark.parametrize("skew", [0.0, 1.1])
@pytest.mark.parametrize("upwards", [False, True])
def test_it_is_exactly_the_nearest(authors: int, skew: float, upwards: bool) -> None:
    dice = random.Random(authors)
    store = a_store(dice, authors, each=5, skew=skew)
    for limit in (1, 21, 801):
        low, high = sorted(dice.sample(range(1, MOST), k=2))
        for bounds in ({}, {"low": low}, {"high": high}, {"low": low, "high": high}):
            found = store.nearest(limit=limit, upwards=upwards, **bounds)
            assert found == store.true(limit=limit, upwards=upwards, **bounds)


@pytest.mark.parametrize("upwards", [False, True])
def test_a_sample_that_misleads_costs_more_and_changes_nothing(upwards: bool) -> None:
    """Every other author is in it: they wrote most, or only long ago, or lately and then too little."""
    for in_sample, each in ((range(1, 1_000), 9), (range(MOST // 2, MOST), 9), (range(MOST // 2, MOST), 3)):
        dice = random.Random(5)
        store = Store(
            {
                number: dice.sample(range(1_000, MOST // 2), k=9) if number % 2 else dice.sample(in_sample, k=each)
                for number in range(400)
            }
        )
        assert store.nearest(limit=801, upwards=upwards) == store.true(limit=801, upwards=upwards)


def test_one_round_is_enough_when_everybody_writes_as_much() -> None:
    store = a_store(random.Random(1), 200, each=6)
    store.nearest(limit=801)
    assert store.rounds == 1


def test_of_very_many_authors_little_more_is_read_than_is_wanted() -> None:
    store = a_store(random.Random(2), 2_000, each=6)
    store.nearest(limit=801)
    assert store.rounds <= 3
    assert store.rows < 2_000 + 801, "a share of each would be 8,000"


def test_nobody_has_nothing() -> None:
    assert Store({}).nearest(limit=20) == []
