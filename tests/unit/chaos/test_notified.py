"""Of what the oracle of `make chaos` says that somebody is notified, and what it makes of what they are shown."""

import pytest

from tests.chaos.notified import Group, Name, Shown, differences, expected_groups, names_in
from tests.chaos.record import Outcome
from tests.chaos.stream import Kind
from tests.unit.chaos.story import ADA, BOB, CLEO, PEOPLE, Story


def groups(story: Story, reader: int = ADA) -> dict[Name, set[int]]:
    return {name: group.sure for name, group in expected_groups(story.record, reader).items()}


def must(story: Story) -> set[Name]:
    return {name for name, group in expected_groups(story.record, ADA).items() if group.must}


class TestGroups:
    def test_each_kind_is_told_to_whom_it_concerns(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        for kind in (Kind.LIKE, Kind.RETWEET):
            story(BOB, kind, tweet)
            story(CLEO, kind, tweet)
        story(BOB, Kind.FOLLOW, ADA)
        reply, quote = story(BOB, Kind.REPLY, tweet), story(CLEO, Kind.QUOTE, tweet)
        mention = story(CLEO, Kind.MENTION, ADA)
        assert groups(story) == {
            Name("like", tweet): {BOB, CLEO},
            Name("retweet", tweet): {BOB, CLEO},
            Name("follow"): {BOB},
            Name("reply", reply): {BOB},
            Name("quote", quote): {CLEO},
            Name("mention", mention): {CLEO},
        }
        assert must(story) == groups(story).keys()
        assert groups(story, BOB) == groups(story, CLEO) == {}

    def test_who_asks_is_told_and_who_was_accepted_follows_without_a_notice(self, story: Story) -> None:
        story(ADA, Kind.PROTECT)
        story(BOB, Kind.FOLLOW, ADA, requested=True)
        assert groups(story) == {Name("follow_request"): {BOB}}
        assert must(story) == {Name("follow_request")}
        story(ADA, Kind.ACCEPT, BOB)
        assert groups(story) == {Name("follow"): {BOB}}
        assert must(story) == set()

    @pytest.mark.parametrize(
        "undoing", [Kind.UNLIKE, Kind.DELETE, Kind.BLOCK, Kind.MUTE, Kind.LEAVE, Kind.PROTECT], ids=str
    )
    def test_nothing_is_left_of_what_does_not_stand(self, story: Story, undoing: Kind) -> None:
        tweet = story(ADA, Kind.POST)
        story(BOB, Kind.LIKE, tweet)
        assert must(story) == {Name("like", tweet)}
        person, target = {
            Kind.UNLIKE: (BOB, tweet), Kind.DELETE: (ADA, tweet), Kind.LEAVE: (BOB, -1), Kind.PROTECT: (BOB, -1),
        }.get(undoing, (ADA, BOB))  # fmt: skip
        story(person, undoing, target)
        assert groups(story) == {}

    def test_what_somebody_protected_likes_is_told_to_who_follows_them(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        story(ADA, Kind.FOLLOW, BOB)
        story(BOB, Kind.PROTECT)
        story(BOB, Kind.LIKE, tweet)
        assert must(story) == {Name("like", tweet)}

    def test_of_who_was_ever_hidden_a_group_may_be_there_or_not(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        story(ADA, Kind.MUTE, BOB)
        story(BOB, Kind.LIKE, tweet)
        story(ADA, Kind.UNMUTE, BOB)
        assert groups(story) == {Name("like", tweet): {BOB}}
        assert must(story) == set()
        story(CLEO, Kind.LIKE, tweet)
        assert must(story) == {Name("like", tweet)}

    def test_of_what_is_uncertain_both_are_right(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        story(BOB, Kind.LIKE, tweet, Outcome.UNCERTAIN)
        assert expected_groups(story.record, ADA) == {Name("like", tweet): Group(perhaps={BOB}, size=1)}


class TestDifferences:
    LIKE, FOLLOW = Name("like", 7), Name("follow")
    EXPECTED = {LIKE: Group({BOB, CLEO}, must=True, size=2), FOLLOW: Group({BOB}, size=1)}

    def told(self, *found: Shown) -> list[str]:
        return list(differences(self.EXPECTED, found, PEOPLE))

    def test_what_is_as_it_must_be(self) -> None:
        like, follow = Shown(9, self.LIKE, ["bob", "cleo"], False), Shown(8, self.FOLLOW, ["bob"], False)
        assert self.told(like) == self.told(like, follow) == []

    def test_what_lacks_and_what_is_too_much(self) -> None:
        assert self.told() == ["lacks the like of tweet 7"]
        other = Shown(9, Name("quote", 3), ["bob"], False)
        assert "has the quote of tweet 3 too much, by bob" in self.told(other)

    def test_who_lacks_and_who_is_too_much(self) -> None:
        assert self.told(Shown(9, self.LIKE, ["bob"], False)) == ["the like of tweet 7 names [1] and lacks [2]"]
        wrong = Shown(9, self.LIKE, ["bob", "cleo", "ada"], False)
        assert self.told(wrong) == ["the like of tweet 7 names person 0"]

    def test_twice_and_out_of_order(self) -> None:
        like = Shown(9, self.LIKE, ["bob", "cleo"], False)
        assert "the like of tweet 7 is there twice" in self.told(like, like)
        later = Shown(11, self.FOLLOW, ["bob"], False)
        assert self.told(like, later) == ["the follow stands behind an older one"]


def test_who_is_named_in_an_answer_but_for_mentions_in_a_text() -> None:
    tweet = {"author": {"username": "ada"}, "entities": {"mentions": [{"username": "dora"}]}, "quote_of": None}
    assert set(names_in({"people": [{"username": "bob"}], "tweet": tweet})) == {"ada", "bob"}
