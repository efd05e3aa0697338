"""The association port: last operation wins, in the truth and in every index."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from storage.ids.snowflakes import EPOCH_US, MAX_ID, id_us, make_id
from storage.ports.associations import MAX_CHANGES, Association, AssociationStore, Change
from storage.ports.outbox import Order, Outbox
from tests.contract.edges import FOLLOW, add, all_bucket_sources, assert_edge, remove
from tests.ids import new_id
from tests.threads import run_together


def test_what_was_never_there_is_absent(associations: AssociationStore) -> None:
    source, target = new_id(), new_id()
    assert_edge(associations, remove(source, target))
    assert associations.level(target, FOLLOW) == 0
    assert associations.count_sources(target, FOLLOW) == 0
    assert associations.find(source, FOLLOW, []) == {}


def test_pairs_of_many_sources_and_kinds_are_found_together(associations: AssociationStore) -> None:
    people = [new_id() for _ in range(120)]
    changes = [add(people[0], people[1]), add(people[0], people[1], kind="block"), add(people[2], people[1])]
    associations.apply([*changes, gone := add(people[3], people[1])])
    associations.apply([remove(gone.source, gone.target)])
    asked = [(source, kind, target) for source in people[:5] for kind in (FOLLOW, "block") for target in people[1:]]
    crossed = (people[2], "block", people[1])
    assert crossed in asked
    found = associations.find_pairs(asked)
    assert {(each.source, each.kind, each.target, each.op) for each in found} == {
        (change.source, change.kind, change.target, change.op) for change in changes
    }
    assert len(found) == len(changes)
    assert associations.find_pairs([crossed]) == associations.find_pairs([]) == []


def test_added_edge_is_everywhere(associations: AssociationStore) -> None:
    change = add(new_id(), new_id())
    associations.apply([change])
    assert_edge(associations, change)
    assert associations.count_sources(change.target, FOLLOW) == 1


def test_removed_edge_is_nowhere(associations: AssociationStore) -> None:
    source, target = new_id(), new_id()
    associations.apply([add(source, target)])
    removal = remove(source, target)
    associations.apply([removal])
    assert_edge(associations, removal)
    assert associations.count_sources(target, FOLLOW) == 0


def test_the_last_change_is_told_of_removed_edges_too_in_the_order_asked_for(associations: AssociationStore) -> None:
    source, gone, standing, never = new_id(), new_id(), new_id(), new_id()
    associations.apply([add(source, gone)])
    removal, added = remove(source, gone), add(source, standing)
    associations.apply([removal, added])
    edges = [(source, FOLLOW, target) for target in (standing, never, gone)]
    nothing = Change(source, FOLLOW, never, op=0, present=False)
    assert associations.last_changes(edges) == [added, nothing, removal]


def test_edge_added_again_takes_its_new_place(associations: AssociationStore) -> None:
    source, target, other = new_id(), new_id(), new_id()
    associations.apply([add(source, target)])
    associations.apply([add(source, other)])
    associations.apply([remove(source, target)])
    again = add(source, target)
    associations.apply([again])
    assert [edge.target for edge in associations.newest_targets(source, FOLLOW, limit=10)] == [target, other]
    assert associations.find(source, FOLLOW, [target])[target].op == again.op
    assert associations.count_sources(target, FOLLOW) == 1


def test_an_add_over_an_add_moves_it_to_the_front_once(associations: AssociationStore) -> None:
    source, target = new_id(), new_id()
    associations.apply([add(source, target)])
    again = add(source, target)
    associations.apply([again])
    assert_edge(associations, again)


@pytest.mark.parametrize("make", [add, remove])
def test_applying_twice_is_applying_once(associations: AssociationStore, make: Callable[[int, int], Change]) -> None:
    source, target = new_id(), new_id()
    associations.apply([add(source, target)])
    change = make(source, target)
    for _ in range(2):
        associations.apply([change])
        assert_edge(associations, change)


@pytest.mark.parametrize("last", [add, remove])
def test_a_late_older_operation_does_not_win(
    associations: AssociationStore, last: Callable[[int, int], Change]
) -> None:
    source, target = new_id(), new_id()
    older = [add(source, target), remove(source, target), add(source, target)]
    winner = last(source, target)
    for change in [winner, *older]:
        associations.apply([change])
    assert_edge(associations, winner)


def test_any_order_of_arrival_ends_alike(associations: AssociationStore) -> None:
    shuffled = random.Random(7)
    for _ in range(5):
        source, target = new_id(), new_id()
        changes = [shuffled.choice([add, remove])(source, target) for _ in range(6)]
        for change in shuffled.sample(changes, len(changes)):
            associations.apply([change])
        assert_edge(associations, changes[-1])


def test_within_one_call_the_greatest_op_wins(associations: AssociationStore) -> None:
    source, target = new_id(), new_id()
    first, second = remove(source, target), add(source, target)
    associations.apply([second, first])
    assert_edge(associations, second)


def test_kinds_do_not_mix(associations: AssociationStore) -> None:
    source, target = new_id(), new_id()
    like, bird = add(source, target, kind="like"), add(source, target, kind="подписка 🐦")
    associations.apply([like, bird])
    assert_edge(associations, like)
    assert_edge(associations, bird)
    assert associations.targets(source, FOLLOW) == []


def test_ids_up_to_63_bits(associations: AssociationStore) -> None:
    kind = f"bounds-{new_id()}"
    low, high = add(1, MAX_ID, kind=kind), add(MAX_ID, 1, kind=kind)
    associations.apply([low, high])
    assert_edge(associations, low)
    assert_edge(associations, high)
    assert associations.targets(1, kind, after=MAX_ID - 1) == [MAX_ID]
    assert associations.targets(1, kind, after=MAX_ID) == []


def test_more_changes_than_an_atomic_write_takes_are_refused(associations: AssociationStore) -> None:
    source = new_id()
    changes = [add(source, new_id()) for _ in range(MAX_CHANGES + 1)]
    with pytest.raises(ValueError, match="limit is"):
        associations.apply(changes)
    associations.apply(changes[:MAX_CHANGES])
    assert associations.count_targets(source, FOLLOW) == MAX_CHANGES


def test_find_answers_only_what_is_there(associations: AssociationStore) -> None:
    source = new_id()
    changes = [add(source, new_id()) for _ in range(230)]
    for start in range(0, 230, 46):
        associations.apply(changes[start : start + 46])
    gone = changes[0].target
    associations.apply([remove(source, gone)])
    asked = [change.target for change in changes] + [new_id()]
    assert set(associations.find(source, FOLLOW, asked)) == {change.target for change in changes} - {gone}


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


def test_order_lands_with_its_changes(associations: AssociationStore, outbox: Outbox) -> None:
    change = add(new_id(), new_id())
    order = Order(id=change.op, kind="graph", args=(change.source, MAX_ID))
    associations.apply([change], order)
    assert outbox.open_orders(before=MAX_ID, limit=10) == [order]
    assert_edge(associations, change)


def test_order_of_an_overtaken_change_is_written_all_the_same(associations: AssociationStore, outbox: Outbox) -> None:
    source, target = new_id(), new_id()
    late = add(source, target)
    removal = remove(source, target)
    associations.apply([removal])
    associations.apply([late], Order(late.op, "graph", (source,)))
    assert [order.id for order in outbox.open_orders(before=MAX_ID, limit=10)] == [late.op]
    assert_edge(associations, removal)


def test_fifty_at_once_on_one_pair_end_alike(associations: AssociationStore) -> None:
    for _ in range(3):
        source, target = new_id(), new_id()
        changes = [random.choice([add, remove])(source, target) for _ in range(50)]
        run_together([partial(associations.apply, [change]) for change in random.sample(changes, 50)])
        assert_edge(associations, changes[-1])


def test_many_at_once_into_one_target_are_all_there(associations: AssociationStore) -> None:
    target = new_id()
    changes = [add(new_id(), target) for _ in range(40)]
    run_together([partial(associations.apply, [change]) for change in changes])
    assert all_bucket_sources(associations, target) == [change.source for change in changes]
    assert [edge.op for edge in associations.newest_sources(target, FOLLOW, limit=40)] == [
        change.op for change in reversed(changes)
    ]


def test_two_removals_and_an_add_of_one_microsecond_agree_everywhere(associations: AssociationStore) -> None:
    """Two processes may make operations of one pair in one microsecond; whoever wins, wins everywhere."""
    source, target = new_id(), new_id()
    us = id_us(new_id())
    rivals = [remove(source, target, make_id(us, 1)), remove(source, target, make_id(us, 3))]
    for change in [add(source, target, make_id(us, 2)), *rivals]:
        associations.apply([change])
    assert_edge(associations, rivals[-1])


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
