"""The association port: last operation wins, in the truth and in every index."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from storage.ids.snowflakes import MAX_ID, id_us, make_id
from storage.ports.associations import MAX_CHANGES, AssociationStore, Change, End
from storage.ports.outbox import Order, Outbox
from tests.contract.edges import FOLLOW, add, assert_edge, remove
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
    assert associations.count_sources(target, FOLLOW) == 1
    assert associations.level(target, FOLLOW) == 0


@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_add_over_an_add_counts_once_though_its_bucket_is_another_now(
    associations: AssociationStore, level: int
) -> None:
    source, target = new_id(), new_id()
    associations.apply([add(source, target)])
    associations.grow(target, FOLLOW, level)
    for _ in range(2):
        associations.apply([again := add(source, target)])
    assert_edge(associations, again)
    assert associations.count_sources(target, FOLLOW) == 1
    associations.apply([removal := remove(source, target)])
    assert_edge(associations, removal)
    assert associations.count_sources(target, FOLLOW) == 0


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


def test_two_removals_and_an_add_of_one_microsecond_agree_everywhere(associations: AssociationStore) -> None:
    """Two processes may make operations of one pair in one microsecond; whoever wins, wins everywhere."""
    source, target = new_id(), new_id()
    us = id_us(new_id())
    rivals = [remove(source, target, make_id(us, 1)), remove(source, target, make_id(us, 3))]
    for change in [add(source, target, make_id(us, 2)), *rivals]:
        associations.apply([change])
    assert_edge(associations, rivals[-1])


def test_owners_are_found_at_either_end(associations: AssociationStore) -> None:
    """Of an edge that was removed as well; once or several times."""
    changes = [add(new_id(), new_id()), add(new_id(), new_id(), kind="block"), add(new_id(), new_id())]
    associations.apply(changes)
    associations.apply([remove(changes[2].source, changes[2].target)])
    found = set(associations.owners())
    assert {(change.source, change.kind, End.SOURCE) for change in changes} <= found
    assert {(change.target, change.kind, End.TARGET) for change in changes} <= found
