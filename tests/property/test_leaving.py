"""Whoever leaves is gone for everybody at once, and in the end from every count, list and home, whatever people, staff
and workers do in whatever order while it is erased, a piece at a time, by several at once, who are killed on the way.

`LEAVING` says how many interleavings; a failure says its seed. One is the crowd of test_counts.py, whose people leave
as well. The oracle is that of counts, the lists; and of who has left, that there is nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from accounts.account_cache import accounts
from accounts.graph import erasing as parting
from accounts.graph.kinds import FOLLOW
from accounts.models import User
from fanout.orders.dispatch import dispatcher
from feed.leaving import saga
from feed.leaving.saga import traces_of
from feed.models import Leaving
from storage.errors import NotFound
from storage.stores import associations
from tests.integration.feed.lives import go_on, leave, long_gone
from tests.integration.tweeting import home_views, post, seen
from tests.property.test_counts import PEOPLE, STEPS, Crowd
from tests.work import work_off_everything
from tweets.caches import counts
from tweets.kinds import LIKE, RETWEET
from tweets.writing import erasing, withholding

LEAVING = int(os.environ.get("LEAVING", "8"))


class Killed(BaseException):
    """What ends a process amid a piece."""


class LeavingCrowd(Crowd):
    def __init__(self, seed: int) -> None:
        self.left: set[User] = set()
        super().__init__(seed)
        self.acts |= {self.leave: 2, self.erase: 8, self.erase_and_die: 2, self.write_late: 1, self.read: 3}

    def leave(self) -> None:
        person = self._present()
        if len(self.suspended | {person}) < PEOPLE - 1:
            leave(person)
            self.suspended.add(person)
            self.left.add(person)

    def restore(self) -> None:
        """Of those who were suspended, nobody who has left."""
        gone, self.suspended = self.suspended & self.left, self.suspended - self.left
        super().restore()
        self.suspended |= gone

    def erase(self) -> None:
        for _ in range(self.dice.randrange(1, 6)):
            self._do_a_piece()

    def erase_and_die(self) -> None:
        """Behind what a piece has done, and before the place is kept; so another one does it again."""
        with patch.object(saga.Run, "_keep", side_effect=Killed), patch.object(saga.Run, "release"):
            try:
                self._do_a_piece()
            except Killed:
                Leaving.objects.update(claimed_until="2020-01-01T00:00:00Z")

    def write_late(self) -> None:
        """By a request that was let in before its author left."""
        if self.left:
            self.tweets.append(post(self.dice.choice(sorted(self.left, key=lambda each: each.id))))

    def read(self) -> None:
        home_views(self._present())

    def end(self) -> None:
        while work_off_everything():
            """Those that notify as well: the proof waits for all that was ordered before somebody left."""
        for person in self.left:
            long_gone(person)
        go_on()
        super().end()

    def look_for_who_left(self) -> None:
        """Nowhere, for nobody."""
        names = {person.username for person in self.left}
        for person in self.left:
            assert traces_of(person.id) == []
            assert User.objects.filter(pk=person.pk, erased_at__isnull=False).exists()
        for reader in set(self.people) - self.suspended:
            shown = home_views(reader)
            assert not names & {each.author.username for each in shown}
            of_left = [associations().find(reader.id, FOLLOW, [each.id for each in self.left])]
            assert of_left == [{}]
        for tweet in self.tweets:
            sources = {
                each.source for kind in (LIKE, RETWEET) for each in associations().newest_sources(tweet, kind, limit=99)
            }
            assert not sources & {each.id for each in self.left}
            try:
                assert seen(tweet).author.username not in names
            except NotFound:
                continue

    def _do_a_piece(self) -> None:
        if not self.left:
            return
        run = saga._claim(self.dice.choice(sorted(self.left, key=lambda each: each.id)).id)
        if run is not None:
            if run.has_more():
                run.do_a_piece()
            run.release()


@pytest.fixture
def crowd(store: str, empty_outbox: None, redis_servers: None) -> Iterator[Callable[[int], LeavingCrowd]]:
    accounts.forget_all()
    with (
        patch.object(dispatcher, "send"),
        patch.multiple(withholding, PAGE=2, PAGES_AN_ORDER=2),
        patch.object(erasing, "PAGE", 1),
        patch.object(parting, "PAGE", 1),
    ):
        yield LeavingCrowd


def carried_out(some: LeavingCrowd) -> None:
    for _ in range(STEPS):
        some.step()
    some.end()
    some.compare()
    some.look_for_who_left()


@pytest.mark.timeout(0)
def test_whoever_left_is_gone_from_everything(crowd: Callable[[int], LeavingCrowd]) -> None:
    for seed in range(1, LEAVING + 1):
        try:
            carried_out(crowd(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


BUGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "likes are taken back uncounted": lambda: patch.object(counts, "invalidate", lambda *_, **__: []),
    "the proof is believed without being made": lambda: patch.object(saga, "traces_of", lambda _: []),
    "tweets are looked at and left": lambda: patch.object(erasing, "erase_tweet", lambda _: None),
}
FOUND_WITHIN = 20


@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
def test_a_planted_bug_is_found(bug: str, crowd: Callable[[int], LeavingCrowd]) -> None:
    with BUGS[bug]():
        for seed in range(1, FOUND_WITHIN + 1):
            try:
                carried_out(crowd(seed))
            except AssertionError:
                return
    pytest.fail(f"not found in {FOUND_WITHIN} interleavings")
