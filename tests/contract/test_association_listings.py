"""The association port's listings and counts: pages without gap or repeat, from any place, in both directions."""

import random
from functools import partial

import pytest

from storage.ids.snowflakes import EPOCH_US, make_id
from storage.ports.associations import Association, AssociationStore, Change
from tests.contract.edges import FOLLOW, add, all_bucket_sources, remove
from tests.ids import new_id
from tests.threads import run_together


@pytest.fixture
def fan(associations: AssociationStore) -> tuple[int, list[Change]]:
    """A source with nine edges, made in another order than their targets', the fifth of them removed again."""
    source = new_id()
    targets = [new_id() for _ in range(9)]
    made = [add(source, target) for target in random.Random(3).sample(targets, 9)]
    associations.apply(made)
    associations.apply([remove(source, made[4].target)])
    return source, made[:4] + made[5:]


def test_targets_page_ascending(associations: AssociationStore, fan: tuple[int, list[Change]]) -> None:
    source, made = fan
    expected = sorted(change.target for change in made)
    assert associations.targets(source, FOLLOW) == expected
    assert associations.targets(source, FOLLOW, limit=8) == expected
    assert associations.targets(source, FOLLOW, limit=7) == expected[:7]
    assert associations.targets(source, FOLLOW, after=expected[6], limit=3) == expected[7:]
    assert associations.targets(source, FOLLOW, after=expected[-1], limit=3) == []


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 8, 9])
def test_newest_targets_page_without_gap_or_repeat(
    associations: AssociationStore, fan: tuple[int, list[Change]], limit: int
) -> None:
    source, made = fan
    pages: list[list[Association]] = [associations.newest_targets(source, FOLLOW, limit=limit)]
    while pages[-1]:
        assert len(pages[-1]) == min(limit, 8 - sum(map(len, pages[:-1])))
        pages.append(associations.newest_targets(source, FOLLOW, before=pages[-1][-1].op, limit=limit))
    assert [edge.op for page in pages for edge in page] == [change.op for change in reversed(made)]


def test_newest_sources_page_without_gap_or_repeat(associations: AssociationStore) -> None:
    target = new_id()
    made = [add(new_id(), target) for _ in range(5)]
    associations.apply(made)
    newest = [change.source for change in reversed(made)]
    first = associations.newest_sources(target, FOLLOW, limit=3)
    rest = associations.newest_sources(target, FOLLOW, before=first[-1].op, limit=3)
    assert [edge.source for edge in first + rest] == newest
    assert associations.newest_sources(target, FOLLOW, before=rest[-1].op, limit=3) == []


@pytest.mark.parametrize("limit", [1, 3, 8, 9])
def test_listings_page_upwards_from_any_place(
    associations: AssociationStore, fan: tuple[int, list[Change]], limit: int
) -> None:
    """The nearest above a place, newest first; removed edges are made up for."""
    source, made = fan
    ops = [change.op for change in made]
    for place in [ops[0] - 1, *ops]:
        above = [op for op in ops if op > place][:limit]
        page = associations.newest_targets(source, FOLLOW, after=place, limit=limit)
        assert [edge.op for edge in page] == above[::-1]
    into = associations.newest_sources(made[2].target, FOLLOW, after=0, limit=limit)
    assert [edge.source for edge in into] == [source]


def test_listings_cross_months(associations: AssociationStore) -> None:
    """Some months are empty, one edge a month in the others."""
    source, kind, month_us = new_id(), "old", 31 * 86_400 * 1_000_000
    ops = [make_id(EPOCH_US + month_us * month, 1) for month in (1, 2, 5, 6, 7, 20, 21, 90)]
    for op in ops:
        associations.apply([add(source, new_id(), op, kind)])
    newest = ops[::-1]
    assert [edge.op for edge in associations.newest_targets(source, kind, limit=100)] == newest
    assert [edge.op for edge in associations.newest_targets(source, kind, before=ops[5], limit=3)] == newest[3:6]
    assert [edge.op for edge in associations.newest_targets(source, kind, after=ops[1], limit=3)] == ops[2:5][::-1]


def test_bucket_pages_are_short_only_at_the_end(associations: AssociationStore) -> None:
    target = new_id()
    sources = [new_id() for _ in range(6)]
    associations.apply([add(source, target) for source in reversed(sources)])
    assert associations.bucket_sources(target, FOLLOW, 0, limit=3) == sources[:3]
    assert associations.bucket_sources(target, FOLLOW, 0, after=sources[2], limit=3) == sources[3:]
    assert associations.bucket_sources(target, FOLLOW, 0, after=sources[5], limit=3) == []
    assert associations.bucket_sources(target, FOLLOW, 0, limit=7) == sources


def test_many_at_once_into_one_target_are_all_there(associations: AssociationStore) -> None:
    target = new_id()
    changes = [add(new_id(), target) for _ in range(40)]
    run_together([partial(associations.apply, [change]) for change in changes])
    assert all_bucket_sources(associations, target) == [change.source for change in changes]
    assert [edge.op for edge in associations.newest_sources(target, FOLLOW, limit=40)] == [
        change.op for change in reversed(changes)
    ]


def test_many_targets_and_kinds_are_counted_together(associations: AssociationStore) -> None:
    liked, retweeted, neither = new_id(), new_id(), new_id()
    associations.apply([add(new_id(), liked, kind="like") for _ in range(3)])
    associations.apply([add(new_id(), retweeted, kind="retweet"), add(new_id(), retweeted, kind="like")])
    associations.grow(liked, "like", 2)
    associations.apply([add(new_id(), liked, kind="like") for _ in range(6)])
    assert associations.count_sources_many([liked, retweeted, neither], ["like", "retweet"]) == {
        "like": {liked: 9, retweeted: 1, neither: 0},
        "retweet": {liked: 0, retweeted: 1, neither: 0},
    }
    assert associations.count_sources_many([], ["like"]) == {"like": {}}
    many = [new_id() for _ in range(1_200)]
    assert associations.count_sources_many([*many, liked], ["like"])["like"] == dict.fromkeys(many, 0) | {liked: 9}
