"""The plan, the record and the oracle of `make chaos`: a tool that finds nothing proves nothing."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.errors import CannotStart
from tests.chaos.clients import PAGE, is_short
from tests.chaos.oracle import Item, expected_home, paged
from tests.chaos.record import ALLOWED_SECONDS, Outcome
from tests.chaos.schedule import LAST_SECONDS, Fault, schedule
from tests.chaos.screens import Screen
from tests.chaos.settings import CLUSTER, Settings
from tests.chaos.stream import ANSWERS, Action, Kind, Stream, listening, reads
from tests.chaos.verify import differences_of_fact
from tests.unit.chaos.story import ADA, BOB, CLEO, PEOPLE, Story

SETTINGS = Settings(seconds=60, seed=1, store="cassandra", people=12, rate=20)


def item(number: int, author: str = "ada", entry_id: int = 0, *, retweet: bool = False) -> Item:
    return Item(entry_id or 1000 * number, author, number, retweet, None, 0.0)


class TestPlan:
    def test_the_seed_tells_everything(self) -> None:
        assert schedule(SETTINGS) == schedule(SETTINGS)
        assert list(Stream(SETTINGS).talk()) == list(Stream(SETTINGS).talk())
        other = replace(SETTINGS, seed=2)
        assert schedule(SETTINGS) != schedule(other)
        assert list(Stream(SETTINGS).talk()) != list(Stream(other).talk())

    def test_every_kind_of_fault_comes_again_and_again(self) -> None:
        kinds = Counter(each.fault for each in schedule(replace(SETTINGS, seconds=600, timelines=CLUSTER)))
        assert set(kinds) == set(Fault)
        assert min(kinds.values()) >= 3
        of_one = {each.fault for each in schedule(replace(SETTINGS, seconds=600))}
        assert set(Fault) - of_one == {Fault.TIMELINES_MOVED, Fault.TIMELINES_PROMOTED}

    def test_faults_end_before_the_run_and_hit_nothing_twice_at_a_time(self) -> None:
        plan = schedule(SETTINGS)
        assert max(each.at + each.seconds for each in plan) == pytest.approx(SETTINGS.seconds - LAST_SECONDS, abs=0.02)
        assert len({(each.round, each.target) for each in plan}) == len(plan)
        assert [each for each in schedule(replace(SETTINGS, store="embedded")) if each.target == "cassandra"] == []

    def test_people_do_everything_and_only_to_what_was_planned_before(self) -> None:
        stream = Stream(SETTINGS)
        actions = [*stream.opening(), *stream.talk()]
        assert [each.number for each in actions] == list(range(1, len(actions) + 1))
        assert {each.kind for each in actions} == set(Kind)
        assert not [each for each in actions if each.kind is Kind.READ and not reads(each.person)]
        joined: set[int] = set()
        for each in actions:
            joined |= {each.person} if each.kind is Kind.JOIN else set()
            assert each.person in joined
            assert each.target < each.number

    def test_some_leave_and_do_nothing_afterwards_and_nobody_leaves_who_is_listened_to(self) -> None:
        actions = list(Stream(SETTINGS).talk())
        gone: set[int] = set()
        for each in actions:
            assert each.person not in gone
            gone |= {each.person} if each.kind is Kind.LEAVE else set()
        assert gone
        assert not gone & set(listening(SETTINGS.people))

    def test_who_answers_was_protected_and_asked_before(self) -> None:
        stream = Stream(SETTINGS)
        protected: set[int] = set()
        asked: set[tuple[int, int]] = set()
        for each in [*stream.opening(), *stream.talk()]:
            protected |= {each.person} if each.kind is Kind.PROTECT else set()
            asked |= {(each.target, each.person)} if each.kind is Kind.FOLLOW and each.target in protected else set()
            assert each.kind not in ANSWERS or (each.person, each.target) in asked

    def test_a_log_tells_what_to_replay(self, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        log.write_text(json.dumps({"at": 0, "event": "run", "settings": SETTINGS.logged()}) + "\n…")
        assert Settings.read({"REPLAY": str(log), "SEED": "7"}) == SETTINGS
        log.write_text("nothing of ours")
        with pytest.raises(CannotStart, match="REPLAY"):
            Settings.read({"REPLAY": str(log)})

    def test_what_makes_no_sense_is_refused(self) -> None:
        for variable in ({"SECONDS": "5"}, {"SEED": "x"}, {"STORE": "paper"}):
            with pytest.raises(CannotStart, match=next(iter(variable))):
                Settings.read(variable)


class TestHomeOfTheOracle:
    def test_it_holds_ones_own_and_followees_newest_first(self, story: Story) -> None:
        own, _stranger = story(ADA, Kind.POST), story(CLEO, Kind.POST)
        story(ADA, Kind.FOLLOW, BOB)
        bobs = story(BOB, Kind.POST)
        assert story.home(ADA) == [bobs, own]
        story(ADA, Kind.UNFOLLOW, BOB)
        assert story.home(ADA) == [own]

    def test_replies_to_others_are_not_in_it_and_their_retweets_are(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        thread, reply = story(ADA, Kind.THREAD, tweet), story(BOB, Kind.REPLY, tweet)
        assert story.home(BOB) == []
        assert story.home(ADA) == [thread, tweet]
        story(ADA, Kind.RETWEET, reply)
        assert story.home(ADA) == [reply, thread, tweet]

    def test_a_deletion_takes_retweets_along(self, story: Story) -> None:
        story(CLEO, Kind.FOLLOW, BOB)
        tweet = story(ADA, Kind.POST)
        story(BOB, Kind.RETWEET, tweet)
        assert story.home(CLEO) == [tweet]
        story(ADA, Kind.DELETE, tweet)
        assert story.home(CLEO) == []

    def test_a_block_parts_and_hides_and_a_mute_hides(self, story: Story) -> None:
        story(ADA, Kind.FOLLOW, BOB)
        story(ADA, Kind.FOLLOW, CLEO)
        bobs = story(BOB, Kind.POST)
        story(CLEO, Kind.RETWEET, bobs)
        assert story.home(ADA) == [bobs, bobs]
        story(ADA, Kind.MUTE, BOB)
        assert story.home(ADA) == []
        story(ADA, Kind.UNMUTE, BOB)
        story(BOB, Kind.BLOCK, ADA)
        assert story.home(ADA) == []
        story(BOB, Kind.UNBLOCK, ADA)
        assert [entry.retweet for entry in expected_home(story.record, ADA, story.entries())] == [True]

    def test_a_retweet_of_somebody_protected_is_for_their_followers(self, story: Story) -> None:
        for person in (ADA, BOB):
            story(CLEO, Kind.FOLLOW, person)
        tweet = story(ADA, Kind.POST)
        story(BOB, Kind.RETWEET, tweet)
        story(ADA, Kind.PROTECT)
        assert story.home(CLEO) == [tweet, tweet]
        story(CLEO, Kind.UNFOLLOW, ADA)
        assert story.home(CLEO) == []
        story(CLEO, Kind.FOLLOW, ADA, requested=True)
        assert story.home(CLEO) == []
        story(ADA, Kind.ACCEPT, CLEO)
        assert story.home(CLEO) == [tweet, tweet]

    def test_of_who_has_left_nothing_is_there(self, story: Story) -> None:
        for person in (ADA, BOB):
            story(CLEO, Kind.FOLLOW, person)
        story(BOB, Kind.RETWEET, story(ADA, Kind.POST))
        story(ADA, Kind.RETWEET, story(BOB, Kind.POST))
        story(ADA, Kind.LEAVE)
        assert [entry.author for entry in expected_home(story.record, CLEO, story.entries())] == [BOB]

    def test_a_page_shows_a_tweet_once_and_the_next_page_may_again(self, story: Story) -> None:
        first, second = story(ADA, Kind.POST), story(ADA, Kind.POST)
        story(BOB, Kind.FOLLOW, ADA)
        story(BOB, Kind.RETWEET, first)
        home = expected_home(story.record, BOB, story.entries())
        assert [each.tweet.number for each in home] == [first, second, first]
        assert [[each.tweet.number for each in page] for page in paged(home, 3)] == [[first, second]]
        assert [[each.tweet.number for each in page] for page in paged(home, 2)] == [[first, second], [first]]


class TestPagesDuringTheRun:
    def test_a_page_that_is_right_has_no_faults(self, story: Story) -> None:
        one, two = story(ADA, Kind.POST), story(ADA, Kind.POST)
        assert story.faults(ADA, item(two), item(one)) == []

    def test_ones_own_tweet_must_be_there(self, story: Story) -> None:
        one, two = story(ADA, Kind.POST), story(ADA, Kind.POST)
        assert story.faults(ADA, item(one)) == [f"lacks the reader's own tweet {two}"]
        assert story.faults(ADA, item(two), last=False) == []

    def test_ones_own_retweet_must_be_there(self, story: Story) -> None:
        tweet = story(BOB, Kind.POST)
        story(ADA, Kind.RETWEET, tweet)
        assert story.faults(ADA) == [f"lacks the reader's own retweet of {tweet}"]
        assert story.faults(ADA, item(tweet, entry_id=9000, retweet=True)) == []

    def test_what_was_deleted_unfollowed_or_hidden_must_not_be_there(self, story: Story) -> None:
        story(ADA, Kind.FOLLOW, BOB)
        tweet = story(BOB, Kind.POST)
        assert story.faults(ADA, item(tweet, "bob")) == []
        story(ADA, Kind.MUTE, BOB)
        assert "hidden" in story.faults(ADA, item(tweet, "bob"))[0]
        story(ADA, Kind.UNMUTE, BOB)
        story(ADA, Kind.UNFOLLOW, BOB)
        assert "not followed" in story.faults(ADA, item(tweet, "bob"))[0]
        story(ADA, Kind.FOLLOW, BOB)
        story(BOB, Kind.DELETE, tweet)
        assert "deleted" in story.faults(ADA, item(tweet, "bob"))[0]

    def test_who_has_left_or_is_protected_and_not_followed_must_not_be_there(self, story: Story) -> None:
        story(CLEO, Kind.FOLLOW, BOB)
        tweet = story(ADA, Kind.POST)
        story(BOB, Kind.RETWEET, tweet)
        shown = item(tweet, "bob", entry_id=9000, retweet=True)
        assert story.faults(CLEO, shown) == []
        story(ADA, Kind.PROTECT)
        assert "protected and not followed" in story.faults(CLEO, shown)[0]
        story(ADA, Kind.UNPROTECT)
        assert story.faults(CLEO, shown) == []
        story(ADA, Kind.LEAVE)
        assert "has left" in story.faults(CLEO, shown)[0]

    def test_a_page_is_full_unless_it_is_the_last_or_was_looked_for_long(self) -> None:
        assert is_short(PAGE - 1, last=False, seconds=0.1)
        assert not is_short(PAGE, last=False, seconds=0.1)
        assert not is_short(PAGE - 1, last=True, seconds=0.1)
        assert not is_short(PAGE - 1, last=False, seconds=3.2)

    def test_twice_and_out_of_order_are_seen(self, story: Story) -> None:
        one, two = story(ADA, Kind.POST), story(ADA, Kind.POST)
        assert story.faults(ADA, item(one), item(two)) == [f"shows entry {1000 * two} after {1000 * one}"]
        assert len(story.faults(ADA, item(two), item(two), item(one))) == 2

    def test_of_what_was_not_answered_for_certain_nothing_is_said(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        story(ADA, Kind.DELETE, tweet, Outcome.UNCERTAIN)
        assert story.faults(ADA) == story.faults(ADA, item(tweet)) == []

    def test_of_what_changes_meanwhile_nothing_is_said(self, story: Story) -> None:
        tweet = story(ADA, Kind.POST)
        story.record.begin(Action(99, 0, ADA, Kind.DELETE, tweet))
        assert story.faults(ADA) == story.faults(ADA, item(tweet)) == []

    @pytest.mark.parametrize("slack", [0, 20])
    def test_a_change_while_redis_was_away_has_ten_seconds(self, story: Story, slack: int) -> None:
        """And what a run is given besides."""
        tweet = story(ADA, Kind.POST)
        story.record.slack = slack
        outage = story.record.timelines_are_down(story.now)
        story.record.timelines_are_back(outage, story.now + 3)
        story(ADA, Kind.DELETE, tweet)
        assert story.faults(ADA, item(tweet)) == []
        story.now += ALLOWED_SECONDS + slack
        assert story.faults(ADA, item(tweet)) == []
        story.now += 2
        assert "deleted" in story.faults(ADA, item(tweet))[0]


class TestFactsAgainstTheStore:
    def test_lost_doubled_and_unwanted_are_told(self, story: Story) -> None:
        there = story.record.fact((Kind.POST, ADA, story(ADA, Kind.POST)))
        assert differences_of_fact(there, 1, "it") == []
        assert differences_of_fact(there, 0, "it") == ["store: it was acknowledged and is lost"]
        assert differences_of_fact(there, 2, "it") == ["store: it is there 2 times"]
        refused = story.record.fact((Kind.POST, ADA, story(ADA, Kind.POST, outcome=Outcome.REFUSED)))
        assert "never acknowledged" in differences_of_fact(refused, 1, "it")[0]

    @pytest.mark.parametrize("count", [0, 1])
    def test_what_is_uncertain_is_as_the_store_says(self, story: Story, count: int) -> None:
        fact = story.record.fact((Kind.POST, ADA, story(ADA, Kind.POST, outcome=Outcome.UNCERTAIN)))
        assert differences_of_fact(fact, count, "it") == []
        assert fact.value is bool(count)
        assert differences_of_fact(fact, 2, "it") == ["store: it is there 2 times"]


class TestLiveScreens:
    """What a client of the live feed has on its screen, against the oracle."""

    def screen(self, story: Story) -> Screen:
        return Screen(BOB, story.now + 0.1)

    def wrong(self, story: Story, screen: Screen) -> list[str]:
        return screen.differences(story.record, story.entries(), PEOPLE)

    def test_what_was_shown_and_stands_is_right(self, story: Story) -> None:
        story(BOB, Kind.FOLLOW, ADA)
        screen = self.screen(story)
        number = story(ADA, Kind.POST)
        screen.show([item(number)])
        assert self.wrong(story, screen) == []

    def test_what_was_never_shown_is_told(self, story: Story) -> None:
        story(BOB, Kind.FOLLOW, ADA)
        screen = self.screen(story)
        number = story(ADA, Kind.POST)
        assert self.wrong(story, screen) == [f"client of person 1 was never shown entry {1000 * number}"]

    def test_what_is_gone_has_to_be_told(self, story: Story) -> None:
        story(BOB, Kind.FOLLOW, ADA)
        screen = self.screen(story)
        number = story(ADA, Kind.POST)
        screen.show([item(number)])
        story(ADA, Kind.DELETE, number)
        assert self.wrong(story, screen) == [
            f"client of person 1 was never told the end of entry {1000 * number} of tweet {number}"
        ]
        screen.on_it.clear()
        assert self.wrong(story, screen) == []

    def test_what_a_change_of_people_brings_or_takes_is_told_to_nobody(self, story: Story) -> None:
        number = story(ADA, Kind.POST)
        screen = self.screen(story)
        story(BOB, Kind.FOLLOW, ADA)
        assert self.wrong(story, screen) == []
        screen.show([item(number)])
        story(BOB, Kind.UNFOLLOW, ADA)
        assert self.wrong(story, screen) == []

    @pytest.mark.parametrize("kind", [Kind.PROTECT, Kind.LEAVE])
    def test_whom_one_sees_no_more_is_told_to_who_is_there(self, story: Story, kind: Kind) -> None:
        """Who is away meanwhile cannot be told, so nothing is said of it."""
        number = story(ADA, Kind.POST)
        story(CLEO, Kind.FOLLOW, ADA)
        screen = Screen(CLEO, story.now + 0.1)
        screen.show([item(number)])
        story(ADA, kind)
        assert self.wrong(story, screen) == []
