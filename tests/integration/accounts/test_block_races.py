"""Changes of the graph between two people that race, or whose requests fail: never a follow beside a block."""

import itertools
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from accounts.graph import blocks, follows
from accounts.graph.kinds import BLOCK, BLOCKED_BY, FOLLOW
from accounts.models import User
from storage.errors import Forbidden, Unavailable
from storage.ports.associations import Change
from storage.redis.node import timeline_node
from storage.stores import associations, ids
from tests.integration.accounts.edges import standing
from tests.people import new_person
from tests.threads import run_together
from tests.work import open_orders

pytestmark = pytest.mark.usefixtures("product")


class TestRaces:
    def test_a_follow_written_while_the_block_is_made_does_not_stand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The follow has looked, found no block, and writes with the greater id after the block's write."""
        ada, bob = new_person(), new_person()
        original = follows.write
        looked = associations()

        def a_follow_after(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            monkeypatch.setattr(follows, "write", original)
            op = ids.next()
            looked.apply([Change(bob.id, FOLLOW, ada.id, op, present=True)])

        monkeypatch.setattr(follows, "write", a_follow_after)
        blocks.block(ada.id, bob.id)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}

    def test_a_block_made_while_the_follow_is_written_undoes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The block stands whole before the follow's write, which has the greater id."""
        ada, bob = new_person(), new_person()
        original = follows.write

        def after_a_block(*args: Any, **kwargs: Any) -> None:
            monkeypatch.setattr(follows, "write", original)
            blocks.block(ada.id, bob.id)
            op = ids.next()
            original([Change(bob.id, FOLLOW, ada.id, op, present=True)], op=op, readers=[bob.id])

        monkeypatch.setattr(follows, "write", after_a_block)
        with pytest.raises(Forbidden):
            follows.follow(bob.id, ada.id)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}

    def test_following_again_after_the_block_was_lifted_survives_a_late_undo(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The undo's id was made while the block stood; the new follow's later."""
        ada, bob = new_person(), new_person()
        blocks.block(ada.id, bob.id)
        original = follows.standing_block

        def lifted_after(one: int, other: int) -> str | None:
            found = original(one, other)
            monkeypatch.setattr(follows, "standing_block", original)
            blocks.unblock(ada.id, bob.id)
            follows.follow(bob.id, ada.id)
            return found

        monkeypatch.setattr(follows, "standing_block", lifted_after)
        follows.part_if_blocked(bob.id, ada.id)
        assert standing(ada, bob) == {("back", FOLLOW)}

    def test_fifty_changes_of_one_pair_at_once_leave_truth_indexes_and_counts_alike(self) -> None:
        ada, bob = new_person(), new_person()
        changes: list[Callable[[], None]] = [
            lambda: follows.follow(ada.id, bob.id),
            lambda: follows.follow(bob.id, ada.id),
            lambda: follows.unfollow(ada.id, bob.id),
            lambda: blocks.block(ada.id, bob.id),
            lambda: blocks.unblock(ada.id, bob.id),
        ]
        for _ in range(2):
            run_together([tolerant(change) for change in itertools.islice(itertools.cycle(changes), 50)])
            self.assert_consistent(ada, bob)
        run_together([tolerant(change) for change in itertools.islice(itertools.cycle(changes[:4]), 50)])
        self.assert_consistent(ada, bob)
        assert standing(ada, bob) == {("out", BLOCK), ("back", BLOCKED_BY)}, "blocked, and never lifted"

    def assert_consistent(self, ada: User, bob: User) -> None:
        edges = standing(ada, bob)
        assert (("out", BLOCK) in edges) == (("back", BLOCKED_BY) in edges)
        if ("out", BLOCK) in edges:
            assert not {("out", FOLLOW), ("back", FOLLOW)} & edges
        for way, source, target in (("out", ada.id, bob.id), ("back", bob.id, ada.id)):
            for kind in (FOLLOW, BLOCK, BLOCKED_BY):
                present = [target] if (way, kind) in edges else []
                store = associations()
                assert store.targets(source, kind) == present
                assert [edge.target for edge in store.newest_targets(source, kind, limit=10)] == present
                assert [edge.source for edge in store.newest_sources(target, kind, limit=10)] == [source] * len(present)
                assert store.count_targets(source, kind) == store.count_sources(target, kind) == len(present)
                assert store.bucket_sources(target, kind, 0, limit=10) == [source] * len(present)


def tolerant(change: Callable[[], None]) -> Callable[[], None]:
    """A change that may be refused, because of a block."""

    def run() -> None:
        try:
            change()
        except Forbidden:
            return

    return run


CHANGES: dict[str, Callable[[int, int], None]] = {
    "follow": follows.follow,
    "block": blocks.block,
    "mute": blocks.mute,
}
UNDOINGS: dict[str, Callable[[int, int], None]] = {
    "unfollow": follows.unfollow,
    "unblock": blocks.unblock,
    "unmute": blocks.unmute,
}


@pytest.mark.parametrize("name", [*CHANGES, *UNDOINGS])
def test_what_a_failed_request_wrote_is_in_force_when_its_repetition_has_answered(name: str) -> None:
    """The store took the write and did not say so: nobody has raised the reader's version yet."""
    ada, bob = new_person(), new_person()
    if name in UNDOINGS:
        CHANGES[name.removeprefix("un")](ada.id, bob.id)
    change = (CHANGES | UNDOINGS)[name]
    key = follows.graph_version_key(ada.id)
    with patch.object(follows, "_bring_into_force", side_effect=Unavailable("store")), pytest.raises(Unavailable):
        change(ada.id, bob.id)
    [before] = timeline_node().round_trip(("GET", key))
    change(ada.id, bob.id)
    [after] = timeline_node().round_trip(("GET", key))
    assert after != before
    is_written_again = name in ("block", "mute")
    assert len(open_orders()) == is_written_again, "a later one is in force; the first one's order is for a worker"
    change(ada.id, bob.id)
    [last] = timeline_node().round_trip(("GET", key))
    assert (last == after) != is_written_again, "once is enough where nothing is written again"
