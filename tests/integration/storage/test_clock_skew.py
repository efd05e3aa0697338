"""Two servers whose clocks disagree: what was asked for last is what stands."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest

from accounts.graph import blocks, follows
from accounts.graph.kinds import BLOCK, FOLLOW, MUTE
from accounts.models import User
from storage import stores
from storage.errors import Unavailable
from storage.ids.snowflakes import IdGenerator, now_us
from tests.integration.tweeting import post, seen, viewer
from tests.people import new_person
from tweets.kinds import BOOKMARK, LIKE, QUOTE, RETWEET
from tweets.writing import liking, posting, retweeting

pytestmark = pytest.mark.usefixtures("product")

WAITED_US = 500_000
REFUSED_US = 5_000_000
GRAPH = {
    FOLLOW: (follows.follow, follows.unfollow),
    BLOCK: (blocks.block, blocks.unblock),
    MUTE: (blocks.mute, blocks.unmute),
}
MARKS = {
    LIKE: (liking.like, liking.unlike),
    BOOKMARK: (liking.bookmark, liking.unbookmark),
    RETWEET: (retweeting.retweet, retweeting.unretweet),
}
KINDS = [*GRAPH, *MARKS]


class Servers:
    """The one `ahead` and the one `behind`, each with ids of its own; time passes by sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._us = now_us()
        self.skew_us = 0
        self.slept = 0.0
        self._ahead = self._generator(lambda: self._us + self.skew_us)
        self._behind = self._generator(lambda: self._us)

    def ahead(self) -> None:
        self._serve(self._ahead)

    def behind(self) -> None:
        self._serve(self._behind)

    def pass_(self, seconds: float) -> None:
        self.slept += seconds
        self._us += round(seconds * 1_000_000)

    def close(self) -> None:
        self._ahead.close()
        self._behind.close()

    def _generator(self, clock: Callable[[], int]) -> IdGenerator:
        return IdGenerator(stores.worker_leases, clock=clock, sleep=self.pass_)

    def _serve(self, ids: IdGenerator) -> None:
        self._monkeypatch.setattr(stores, "ids", ids)
        self._monkeypatch.setattr(posting, "ids", ids)


@pytest.fixture
def servers(store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    made = Servers(monkeypatch)
    yield made
    made.close()


class Case:
    """One person's changes of one edge: to one side and back."""

    def __init__(self, kind: str, person: User, other: User) -> None:
        self.edge = (person.id, kind, other.id if kind in GRAPH else post(other))
        self._viewer = viewer(person)

    def make(self) -> None:
        self._change(0)

    def undo(self) -> None:
        self._change(1)

    def _change(self, way: int) -> None:
        source, kind, target = self.edge
        if kind in GRAPH:
            GRAPH[kind][way](source, target)
        else:
            MARKS[kind][way](viewer=self._viewer, tweet_id=target)

    def stands(self) -> bool:
        return follows.has_edge(*self.edge)


@pytest.mark.parametrize("kind", KINDS)
def test_the_change_asked_for_last_stands(servers: Servers, kind: str) -> None:
    """Made and undone by turns: the second is served by the server whose clock is behind."""
    case = Case(kind, new_person(), new_person())
    servers.skew_us = WAITED_US
    servers.ahead()
    case.make()
    servers.behind()
    case.undo()
    assert not case.stands()
    servers.ahead()
    case.make()
    case.undo()
    servers.behind()
    case.make()
    assert case.stands(), "also after a removal by the server ahead"
    assert WAITED_US / 2_000_000 < servers.slept < 3 * WAITED_US / 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_far_behind_is_said_and_changes_nothing(servers: Servers, kind: str) -> None:
    case = Case(kind, new_person(), new_person())
    servers.skew_us = REFUSED_US
    servers.ahead()
    case.make()
    servers.behind()
    is_written_again = kind in ("block", "mute")
    with pytest.raises(Unavailable) if is_written_again else nullcontext():
        case.make()
    with pytest.raises(Unavailable) as refused:
        case.undo()
    assert (refused.value.backend, case.stands(), servers.slept < 0.001) == ("ids", True, True)
    servers.pass_(REFUSED_US / 1_000_000)
    case.undo()
    assert not case.stands()


def test_a_block_parts_a_follow_made_by_the_server_ahead(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own write: what is looked up after it has nothing left to do."""
    monkeypatch.setattr(follows, "part_if_blocked", lambda one_id, other_id: None)
    ada, bob = new_person(), new_person()
    servers.skew_us = WAITED_US
    servers.ahead()
    follows.follow(bob.id, ada.id)
    servers.behind()
    blocks.block(ada.id, bob.id)
    assert not follows.has_edge(bob.id, FOLLOW, ada.id)


def test_a_follow_left_beside_a_block_goes_though_it_was_made_by_the_server_ahead(servers: Servers) -> None:
    ada, bob = new_person(), new_person()
    servers.skew_us = WAITED_US
    servers.behind()
    blocks.block(ada.id, bob.id)
    servers.ahead()
    follows.reverse(follows.last_change(bob.id, FOLLOW, ada.id), readers=[bob.id])
    servers.behind()
    blocks.block(ada.id, bob.id)
    assert not follows.has_edge(bob.id, FOLLOW, ada.id)


def test_a_quote_deleted_by_the_server_behind_is_not_counted(servers: Servers) -> None:
    author = new_person()
    quoted = post(author)
    servers.skew_us = WAITED_US
    servers.ahead()
    quote = post(author, quote_of=quoted)
    servers.behind()
    posting.delete_tweet(tweet_id=quote, viewer=viewer(author))
    assert not follows.has_edge(quote, QUOTE, quoted)
    assert seen(quoted).counts.quotes == 0
