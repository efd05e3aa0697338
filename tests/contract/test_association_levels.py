"""Levels: a target's buckets split as it grows, and no edge is lost or left behind."""

import random
from collections.abc import Sequence
from functools import partial

import pytest

from storage.ids.snowflakes import EPOCH_US, make_id
from storage.ports.associations import (
    MAX_CHANGES,
    MAX_LEVEL,
    AssociationStore,
    Change,
    bucket_is_full,
    bucket_of,
    removal_buckets,
)
from tests.contract.edges import FOLLOW, add, all_bucket_sources, assert_edge, remove
from tests.ids import new_id
from tests.threads import run_together


@pytest.fixture
def small_buckets(associations: AssociationStore) -> AssociationStore:
    """A store whose buckets are full at 20 edges and are measured at every add."""
    kind = type(associations)
    return kind(edges_per_bucket=20, sample=lambda: True)  # type: ignore[call-arg]


def apply_all(associations: AssociationStore, changes: Sequence[Change]) -> None:
    for change in changes:
        associations.apply([change])


def test_a_level_only_grows(associations: AssociationStore) -> None:
    target = new_id()
    for level, expected in [(2, 2), (1, 2), (0, 2), (3, 3), (3, 3), (MAX_LEVEL, MAX_LEVEL), (4, MAX_LEVEL)]:
        associations.grow(target, FOLLOW, level)
        assert associations.level_soon(target, FOLLOW)() == expected
        assert associations.level(target, FOLLOW) == expected
    assert associations.level(target, "like") == 0
    with pytest.raises(ValueError, match="no level"):
        associations.grow(target, FOLLOW, MAX_LEVEL + 1)


def test_levels_raised_at_once_end_at_the_highest(associations: AssociationStore) -> None:
    target = new_id()
    run_together([partial(associations.grow, target, FOLLOW, level) for level in random.sample(range(9), 9)])
    assert associations.level(target, FOLLOW) == 8


def test_edges_from_before_and_after_growth_are_found_and_counted(associations: AssociationStore) -> None:
    target, sources = new_id(), [new_id() for _ in range(60)]
    for level, start in enumerate((0, 20, 40)):
        associations.grow(target, FOLLOW, level)
        associations.apply([add(source, target) for source in sources[start : start + 20]])
    assert sorted(all_bucket_sources(associations, target)) == sources
    assert associations.count_sources(target, FOLLOW) == 60


def test_an_edge_added_again_after_growth_counts_once(associations: AssociationStore) -> None:
    target = new_id()
    sources = [new_id() for _ in range(20)]
    associations.apply([add(source, target) for source in sources])
    associations.grow(target, FOLLOW, 3)
    associations.apply([add(source, target) for source in sources])
    assert set(all_bucket_sources(associations, target)) == set(sources)
    assert associations.count_sources(target, FOLLOW) == 20


def test_a_removal_clears_every_level(associations: AssociationStore) -> None:
    target = new_id()
    sources = [new_id() for _ in range(12)]
    for level in range(5):
        associations.grow(target, FOLLOW, level)
        associations.apply([add(source, target) for source in sources])
    associations.apply([remove(source, target) for source in sources])
    assert all_bucket_sources(associations, target) == []
    assert associations.count_sources(target, FOLLOW) == 0


def test_the_largest_removal_fits_an_atomic_write(associations: AssociationStore) -> None:
    source = new_id()
    targets = [new_id() for _ in range(MAX_CHANGES)]
    for target in targets:
        associations.grow(target, FOLLOW, MAX_LEVEL)
    associations.apply([add(source, target) for target in targets])
    associations.apply([remove(source, target) for target in targets])
    assert associations.targets(source, FOLLOW) == []


def test_an_edge_removed_across_growth_stays_removed(associations: AssociationStore) -> None:
    """The add of an older operation that arrives after the removal, by a writer who knows the next level."""
    target, source = new_id(), new_id()
    late, removal = add(source, target), remove(source, target)
    associations.apply([removal])
    associations.grow(target, FOLLOW, 1)
    associations.apply([late])
    assert_edge(associations, removal)


def test_a_full_target_grows_by_itself(small_buckets: AssociationStore) -> None:
    target = new_id()
    changes = [add(new_id(), target) for _ in range(200)]
    apply_all(small_buckets, changes[:21])
    assert small_buckets.level(target, FOLLOW) == 1
    apply_all(small_buckets, changes[21:])
    assert 3 <= small_buckets.level(target, FOLLOW) <= 5
    assert sorted(all_bucket_sources(small_buckets, target)) == [change.source for change in changes]


def test_growth_during_many_writes_loses_nothing(small_buckets: AssociationStore) -> None:
    target = new_id()
    stay = [add(new_id(), target) for _ in range(48)]
    leave = [add(new_id(), target) for _ in range(48)]

    def toggle(kept: Change, left: Change) -> None:
        small_buckets.apply([left])
        small_buckets.apply([kept])
        small_buckets.apply([remove(left.source, target)])

    run_together([partial(toggle, *pair) for pair in zip(stay, leave, strict=True)])
    assert small_buckets.level(target, FOLLOW) >= 1
    assert sorted(set(all_bucket_sources(small_buckets, target))) == [change.source for change in stay]
    assert small_buckets.count_sources(target, FOLLOW) == 48


def test_who_stays_is_read_once_at_least_though_levels_grow_while_buckets_are_read(
    small_buckets: AssociationStore,
) -> None:
    """As fan-out reads: the level first, then page by page, while others follow, leave and return."""
    target = new_id()
    stay = [new_id() for _ in range(40)]
    waver = [new_id() for _ in range(20)]
    apply_all(small_buckets, [add(each, target) for each in random.sample(stay + waver, 60)])
    level = small_buckets.level(target, FOLLOW)
    found: list[int] = []
    for bucket in range(1 << level):
        after = 0
        while page := small_buckets.bucket_sources(target, FOLLOW, bucket, after=after, limit=4):
            found += page
            after = page[-1]
            leaving = waver[len(found) % len(waver)]
            apply_all(small_buckets, [remove(leaving, target), *(add(new_id(), target) for _ in range(5))])
            apply_all(small_buckets, [add(leaving, target)])
    assert small_buckets.level(target, FOLLOW) > level
    assert set(stay) <= set(found)


def test_a_bucket_splits_into_itself_and_one_above() -> None:
    for source in [new_id() for _ in range(200)]:
        for level in range(MAX_LEVEL):
            assert bucket_of(source, level + 1) in {bucket_of(source, level), bucket_of(source, level) + (1 << level)}


def test_a_removal_names_the_bucket_of_every_level_and_one_more() -> None:
    source = new_id()
    assert set(removal_buckets(source, 4)) == {bucket_of(source, level) for level in range(6)}
    assert set(removal_buckets(source, MAX_LEVEL)) == {bucket_of(source, level) for level in range(MAX_LEVEL + 1)}


def test_snowflakes_of_one_process_spread_over_buckets() -> None:
    sources = [make_id(EPOCH_US + step * 977, 5) for step in range(1, 16_001)]
    sizes = [0] * 16
    for source in sources:
        sizes[bucket_of(source, 4)] += 1
    assert min(sizes) > 900
    assert max(sizes) < 1_100


def test_levels_follow_the_number_of_edges() -> None:
    """Level L + 1 at 1,000 * 2^L edges, whatever bucket is measured; no level runs ahead of it."""
    sizes: dict[int, int] = {}
    level = 0
    for edges in range(1, 40_001):
        bucket = bucket_of(make_id(EPOCH_US + edges * 977, 5), level)
        sizes[bucket] = sizes.get(bucket, 0) + 1
        if bucket_is_full(sizes[bucket], bucket, level, edges_per_bucket=1_000):
            assert 0.8 * 1_000 * 2**level < edges < 1.2 * 1_000 * 2**level
            level += 1
    assert level == 6
