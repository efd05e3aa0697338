"""Everybody is notified of what others do and that stands, whatever is undone, hidden, protected and worked off when.

Interleavings of their own, as in test_restoring.py, in the world of test_protecting.py. At any moment nobody may be
told of what surely is not so; and once all is worked off the groups are the oracle's, and how many are new.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from random import Random
from typing import NamedTuple
from unittest.mock import patch

import pytest

from accounts.graph.exclusions import Visibility
from accounts.graph.notifications import NotificationType
from deploy.valkey import Valkey
from feed.notifications import groups, telling
from feed.notifications.groups import NotificationOut
from feed.notifications.pages import mark_read, notifications_page
from feed.notifications.unread import unread_count
from storage.ports.notices import Notice
from storage.stores import notices
from storage.web.paging import PageRequest
from tests.property import acts
from tests.property.acting import PEOPLE, PICKS, YES_OR_NO, pick, written
from tests.property.conftest import NewWorld
from tests.property.interleaving import Step, run_steps
from tests.property.oracle import (
    BLOCKS,
    FOLLOWS,
    MUTES,
    POSTED,
    SUSPENDED,
    Entry,
    Fact,
    Known,
    all_of,
    negated,
)
from tests.property.planted import Bug
from tests.property.reading import name
from tests.property.test_protecting import CHANGES, PROTECTED, REQUESTS, Protecting, any_of
from tests.property.test_timelines import SEED, examples, run
from tests.property.world import Action
from tweets.writing import liking
from tweets.writing.posting import create_tweet

LIKES = "likes"
WAYS = ("reply", "reply", "quote", "mention")
STEPS = 30
DRAWN: dict[str, tuple[int, dict[str, Sequence[object]]]] = {
    "post": (1, {"who": PICKS, "times": (1, 2)}),
    "answer": (6, {"way": WAYS, "who": PICKS, "what": PICKS}),
    "share": (3, {"way": ("retweet",), "who": PICKS, "what": PICKS}),
    "undo_a_retweet": (1, {"who": PICKS, "what": PICKS, "slow": YES_OR_NO}),
    "like": (5, {"who": PICKS, "what": PICKS, "slow": YES_OR_NO}),
    "unlike": (2, {"who": PICKS, "what": PICKS, "slow": YES_OR_NO}),
    "delete": (2, {"what": PICKS, "slow": YES_OR_NO}),
    "relate": (6, {"change": CHANGES, "who": PICKS, "whom": PICKS, "slow": YES_OR_NO}),
    "change_the_graph": (2, {"change": ("mute", "unmute"), "who": PICKS, "whom": PICKS, "slow": YES_OR_NO}),
    "protect": (2, {"who": PICKS, "on": (True, True, False), "slow": YES_OR_NO}),
    "suspend": (1, {"who": PICKS, "slow": YES_OR_NO}),
    "restore": (1, {"who": PICKS, "slow": YES_OR_NO}),
    "work_all": (3, {}),
    "lose_a_message": (1, {"which": PICKS}),
    "go_on": (5, {"which": PICKS}),
    "somebody_looks": (6, {"who": PICKS}),
    "everybody_is_told": (3, {"which": PICKS}),
    "caches_end": (1, {"kind": ("tweet", "exclusions", "account", "unread")}),
    "redis_is_flushed": (1, {}),
    "redis_goes": (1, {"steps": range(1, 4)}),
    "recover": (1, {}),
}
"""Rules of the machine, how often each is drawn, and from what its arguments."""


class Group(NamedTuple):
    """What somebody is notified of: a type, and the tweet, 0 of what is about people alone."""

    kind: NotificationType
    subject: int = 0


class Notifying(Protecting):
    """A world in which people look what they are notified of."""

    def __init__(self, server: Valkey, threads: ThreadPoolExecutor) -> None:
        super().__init__(server, threads)
        self._about: dict[int, tuple[NotificationType, int]] = {}
        """Of entries that answer, quote or mention somebody: which, and whom."""
        self._told: dict[int, set[tuple[Group, int]]] = defaultdict(set)
        """What each recipient was surely to be notified of, and by whom."""

    def answer(self, way: str, who: int, what: int) -> None:
        """Whoever wrote what is picked; of who is protected nobody else may quote."""
        if not self.oracle.entries:
            return
        person, entry = self._actor(who), self.oracle.entries[self._entry(what)]
        other = self.oracle.entries[entry.shown].author
        if way == "mention":
            action = self._mentioning(person, other)
        elif way == "reply":
            action = acts.post(self.world, person, reply_to=entry.id)
        else:
            action = acts.post(self.world, person, quote_of=entry.id)
        if way == "quote" and other != person:
            open_ = negated(self.oracle.known(Fact(PROTECTED, other)))
            action.allowed = all_of([action.allowed, open_])
        self._act(action)
        for made in _made_by(action):
            self._about[made] = (NotificationType(way), other)
            self._tell(person, other, Group(NotificationType(way), made))

    def like(self, who: int, what: int, slow: bool) -> None:
        self._mark(who, what, slow=slow, made=True)

    def unlike(self, who: int, what: int, slow: bool) -> None:
        self._mark(who, what, slow=slow, made=False)

    def somebody_looks(self, who: int) -> None:
        if not self.world.redis_is_down:
            self._look(self._actor(who))

    def everybody_is_told(self, which: int) -> None:
        """Once all is worked off, which nothing that is stopped or away may hinder."""
        if self.world.stopped or self.world.redis_is_down or self.world.must_recover:
            return
        self.world.work_everything_off()
        for person in self._present():
            found = self._look(person)
            self._compare(person, found)
            if found:
                self._count(person, found, pick(which, found))

    def end_well(self) -> None:
        super().end_well()
        self.everybody_is_told(1)

    def _act(self, action: Action) -> None:
        """Of edges that surely were not there, and of retweets, somebody is notified."""
        before = {fact: self.oracle.known(fact) for fact in action.changes}
        super()._act(action)
        if not action.written:
            return
        for fact, was in before.items():
            group = self._group_of(action, fact)
            if was is False and group is not None:
                self._tell(action.person, self._recipient(fact), group)
        if action.original is not None and _made_by(action):
            author = self.oracle.entries[action.original].author
            self._tell(action.person, author, Group(NotificationType.RETWEET, action.original))

    def _group_of(self, action: Action, fact: Fact) -> Group | None:
        """Whoever is accepted follows without a notice."""
        if not action.changes[fact]:
            return None
        if action.name == "like":
            return Group(NotificationType.LIKE, fact.other)
        kinds = {FOLLOWS: NotificationType.FOLLOW, REQUESTS: NotificationType.FOLLOW_REQUEST}
        return Group(kinds[fact.kind]) if action.name == "follow" and fact.kind in kinds else None

    def _recipient(self, fact: Fact) -> int:
        return self.oracle.entries[fact.other].author if fact.kind == LIKES else fact.other

    def _tell(self, actor: int, recipient: int, group: Group) -> None:
        if actor != recipient:
            self._told[recipient].add((group, actor))

    def _mentioning(self, person: int, other: int) -> Action:
        viewer, text = self.world.viewer(person), f"hello @{self.world.user(other).username}"
        return Action("post", lambda: create_tweet(author=viewer, text=text).id, person=person)

    def _mark(self, who: int, what: int, *, slow: bool, made: bool) -> None:
        if not self.oracle.entries:
            return
        person, tweet = self._actor(who), self.oracle.entries[self._entry(what)].shown
        viewer, change = self.world.viewer(person), liking.like if made else liking.unlike
        self._act(
            Action(
                "like" if made else "unlike",
                lambda: change(viewer=viewer, tweet_id=tweet),
                facts=[(Fact(LIKES, person, tweet), made)],
                allowed=self.oracle.sees(person, tweet) if made else True,
                person=person,
                place=written(slow),
            )
        )

    # What the oracle says --------------------------------------------------------------------

    def _groups(self, person: int) -> Mapping[Group, dict[int, Known]]:
        """Whoever may be in each group, and whether they are."""
        found: dict[Group, dict[int, Known]] = defaultdict(dict)
        tweets = [each for each in self.oracle.entries.values() if each.author == person and each.original is None]
        for other in self.world.people:
            if other == person:
                continue
            shown = self._shown_to(person, other)
            acts = all_of([shown, self._open_to(person, other)])
            kinds = {FOLLOWS: NotificationType.FOLLOW, REQUESTS: NotificationType.FOLLOW_REQUEST}
            for kind, told_as in kinds.items():
                found[Group(told_as)][other] = all_of([shown, self.oracle.known(Fact(kind, other, person))])
            for tweet in tweets:
                there = all_of([acts, self.oracle.is_there(tweet.id)])
                liked = self.oracle.known(Fact(LIKES, other, tweet.id))
                found[Group(NotificationType.LIKE, tweet.id)][other] = all_of([there, liked])
                again = any_of(False, *(self.oracle.is_there(each.id) for each in self._retweets(other, tweet)))
                found[Group(NotificationType.RETWEET, tweet.id)][other] = all_of([there, again])
        for made, (told_as, whom) in self._about.items():
            entry = self.oracle.entries[made]
            if whom == person != entry.author:
                stands = self.oracle._stands_for(person, entry)
                muted = self.oracle.known(Fact(MUTES, person, entry.author))
                found[Group(told_as, made)][entry.author] = all_of([stands, negated(muted)])
        return found

    def _retweets(self, person: int, tweet: Entry) -> list[Entry]:
        return [each for each in self.oracle.entries.values() if (each.author, each.original) == (person, tweet.id)]

    def _shown_to(self, person: int, other: int) -> Known:
        hidden = [Fact(SUSPENDED, other), Fact(MUTES, person, other)]
        parted = negated(self.oracle.parted(person, other))
        return all_of([parted, *(negated(self.oracle.known(each)) for each in hidden)])

    def _open_to(self, person: int, other: int) -> Known:
        closed = self.oracle.known(Fact(PROTECTED, other))
        return any_of(negated(closed), self.oracle.known(Fact(FOLLOWS, person, other)))

    def _was_never_hidden(self, person: int, other: int) -> bool:
        """Nobody is notified by, or as, whom something hides when it is worked off, which may be at any time."""
        hiding = {Fact(SUSPENDED, person), Fact(SUSPENDED, other), Fact(MUTES, person, other)}
        hiding |= {Fact(BLOCKS, person, other), Fact(BLOCKS, other, person)}
        return not hiding & set(self.world.unsteady)

    # What is shown ---------------------------------------------------------------------------

    def _look(self, person: int) -> list[NotificationOut]:
        """Everything the person is notified of, of which nothing surely is not so."""
        shown = notifications_page(self.world.viewer(person), PageRequest(limit=100)).items
        expected = self._groups(person)
        places = [int(each.id) for each in shown]
        assert places == sorted(set(places), reverse=True), f"{name(self.world, person)} sees {places}"
        for each in shown:
            members = expected.get(_group(each), {})
            for one in each.people:
                told = f"{name(self.world, person)} is told of a {each.type} by {name(self.world, int(one.id))}"
                assert members.get(int(one.id), False) is not False, told
        return shown

    def _compare(self, person: int, shown: Sequence[NotificationOut]) -> None:
        """With whom the oracle says is surely there; nobody is in more than PEOPLE_SHOWN people's."""
        found = {_group(each): {int(one.id) for one in each.people} for each in shown}
        assert len(found) == len(shown), f"{name(self.world, person)} sees a group twice"
        for group, members in self._groups(person).items():
            sure = {each for each, known in members.items() if known is True}
            told = f"{name(self.world, person)} is told of {group.kind}"
            if group in found:
                assert sure <= found[group], f"{told} by {found[group]}, and not by {sure - found[group]}"
                continue
            lacking = [each for each in sure if (group, each) in self._told[person]]
            lacking = [each for each in lacking if self._was_never_hidden(person, each)]
            assert not lacking, f"{told} by nobody, and not by {[name(self.world, each) for each in lacking]}"

    def _count(self, person: int, shown: Sequence[NotificationOut], mark: NotificationOut) -> None:
        """Counted before, so that a count is kept; then up to the mark everything is read."""
        viewer = self.world.viewer(person)
        unread_count(viewer)
        mark_read(viewer, int(mark.id))
        up_to = notices().read_up_to(person)
        new = [each for each in shown if int(each.id) > up_to]
        counted = unread_count(viewer)
        assert counted == len(new), f"{name(self.world, person)} has {len(new)} new, and {counted} are counted"


def _made_by(action: Action) -> list[int]:
    """The entry that it wrote."""
    return [fact.one for fact in action.changes if fact.kind == POSTED] if action.written else []


def _group(shown: NotificationOut) -> Group:
    return Group(NotificationType(shown.type), 0 if shown.tweet is None else int(shown.tweet.id))


@pytest.fixture
def new_notifying_world(new_world: NewWorld, timeline_redis: Valkey) -> Iterator[NewWorld]:
    with ThreadPoolExecutor(8) as threads:
        yield lambda: Notifying(timeline_redis, threads)


def steps_of(seed: int) -> list[Step]:
    """Some follow one another and all have written; then what is drawn."""
    dice = Random(seed)
    pairs = [(one, two) for one in range(PEOPLE) for two in range(PEOPLE) if one != two]
    meeting = Step("people_meet", {"strangers": set(dice.sample(pairs, 8)), "active": set(), "tweets": 1})
    names = dice.choices(list(DRAWN), [weight for weight, _ in DRAWN.values()], k=STEPS)
    return [meeting, *(Step(each, {one: dice.choice(of) for one, of in DRAWN[each][1].items()}) for each in names)]


@pytest.mark.timeout(0)
def test_everybody_is_notified_of_what_stands(store: str, new_notifying_world: NewWorld) -> None:
    """A few in passing, as the tests of notifications beside it look at each thing that may happen by itself."""
    for seed in range(SEED, SEED + max(1, examples(store) // 4)):
        run(seed, new_notifying_world, steps_of)


def nobody_is_notified_of(kind: NotificationType) -> AbstractContextManager[object]:
    add = notices().add

    def some(of: Sequence[Notice]) -> None:
        add([each for each in of if each.kind.name != kind])

    return patch.object(notices(), "add", some)


class SeesProtected(Visibility):
    """Of a page that forgets who is protected."""

    def _closed_among(self, protected: object, *, listed: bool) -> list[int]:
        return []


BUGS: dict[str, Bug] = {
    "nobody is notified of quotes": lambda: nobody_is_notified_of(NotificationType.QUOTE),
    "nobody is notified of who asks": lambda: nobody_is_notified_of(NotificationType.FOLLOW_REQUEST),
    "who is muted is told of": lambda: patch.object(groups, "Visibility", lambda viewer_id, **_: Visibility(viewer_id)),
    "what protected people do is told to everybody": lambda: patch.object(groups, "Visibility", SeesProtected),
    "a mark changes nothing that is kept": lambda: patch.object(telling, "_tell", lambda _: None),
}
FOUND_WITHIN = 60
LAST_FOUND_BY = {
    "nobody is notified of who asks": 46,
    "who is muted is told of": 17,
    "what protected people do is told to everybody": 22,
}
"""The interleavings that found them when they were looked for last, and are tried first; the others have early ones."""


@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["embedded"], indirect=True)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
def test_a_planted_bug_is_found(bug: str, new_notifying_world: NewWorld) -> None:
    with BUGS[bug]():
        for seed in (LAST_FOUND_BY.get(bug, 1), *range(1, FOUND_WITHIN + 1)):
            try:
                run_steps(steps_of(seed), new_notifying_world)
            except AssertionError:
                return
    pytest.fail(f"not found in {FOUND_WITHIN} interleavings")
