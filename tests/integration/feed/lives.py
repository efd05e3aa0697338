"""Somebody who has done everything that a person can do here, and others; for tests of leaving."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from unittest.mock import patch

import msgspec
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.graph import blocks, follows
from accounts.models import User
from accounts.people import confirming, leaving, services, suspending
from accounts.people.erasing import Piece, Step
from accounts.people.leaving import LEAVE_ORDER
from fanout.delivery import celebrities
from feed.leaving import saga
from feed.models import Leaving
from feed.moderation.reports import report_person
from feed.notifications.muted_words import mute_word
from storage.stores import notices, outbox
from tests.integration.tweeting import home, post, viewer
from tests.people import PASSWORD, ApiClient, new_person
from tests.work import every_open_order, work_off_everything
from tweets.search.documents import document_of
from tweets.search.guarded import search_index
from tweets.stores.port import tweet_store
from tweets.writing.liking import bookmark, like
from tweets.writing.posting import create_tweet
from tweets.writing.retweeting import retweet


class Life(NamedTuple):
    person: User
    friend: User
    """They follow each other, and answer each other."""
    tweets: list[int]
    """The person's: a tweet with a hashtag and a mention, a reply, a quote."""
    friends_tweet: int
    client: ApiClient
    """Signed in as the person."""


def a_life(*, more_tweets: int = 0) -> Life:
    """A person of whom every table, listing and cache has something."""
    person, friend, foe, shy, bore = (new_person() for _ in range(5))
    client = ApiClient(person)
    services.update_profile(shy.id, services.ProfileChange(protected=True))
    services.update_profile(person.id, services.ProfileChange(bio="Notes on the Engine."))
    for one, other in ((person, friend), (friend, person), (person, shy)):
        follows.follow(one.id, other.id)
    services.update_profile(person.id, services.ProfileChange(protected=True))
    follows.follow(bore.id, person.id)
    services.update_profile(person.id, services.ProfileChange(protected=False))
    blocks.block(person.id, foe.id)
    blocks.block(new_person().id, person.id)
    blocks.mute(person.id, bore.id)
    blocks.mute(bore.id, person.id)
    friends_tweet = post(friend, f"hello @{person.username}")
    tweets = [
        post(person, f"of #engines @{friend.username}"),
        post(person, "an answer", reply_to=friends_tweet),
        post(person, "a quote", quote_of=friends_tweet),
        *(post(person, f"number {number}") for number in range(more_tweets)),
    ]
    retweet(viewer=viewer(person), tweet_id=friends_tweet)
    for mark in (like, bookmark):
        mark(viewer=viewer(person), tweet_id=friends_tweet)
    like(viewer=viewer(friend), tweet_id=tweets[0])
    create_tweet(author=viewer(friend), text="indeed", reply_to=tweets[0])
    mute_word(viewer(person), "spoilers")
    confirming.ask_again(person.pk)
    report_person(by=viewer(person), username=foe.username, reason="spam", comment="Buy now!")
    TOTPDevice.objects.create(user=person, name="authenticator", confirmed=True)
    StaticDevice.objects.create(user=person, name="recovery").token_set.create(token="aaaa-bbbb")
    celebrities.begin_pulling(person.id)
    hidden = new_person()
    follows.follow(hidden.id, person.id)
    follows.follow(person.id, hidden.id)
    suspending.suspend(hidden, by=new_person(staff=True))
    work_off_everything()
    stand = [document_of(each) for each in tweet_store().get_many(tweets).values()]
    search_index().put([each for each in stand if each is not None])
    notices().mark_read(person.id, friends_tweet)
    home(person)
    home(friend)
    assert client.get("/api/v1/me").status_code == 200
    return Life(person, friend, tweets, friends_tweet, client)


def leave(person: User) -> None:
    """As the door does; nothing of them is erased yet."""
    leaving.leave(person.id, PASSWORD)


def withheld() -> None:
    """Everything else that leaving has ordered is worked off: counts leave the person out. Nothing is erased yet."""
    for order in every_open_order():
        if order.kind == LEAVE_ORDER:
            outbox().mark_done(order.id)
    work_off_everything()


def long_gone(person: User) -> None:
    """As if they had left before whatever was let in at that moment ended, and what was ordered by then was done."""
    withheld()
    left_at = User.objects.values_list("left_at", flat=True).get(pk=person.pk)
    assert left_at is not None
    User.objects.filter(pk=person.pk).update(left_at=left_at - timedelta(microseconds=saga.PROVED_AFTER_US))


def go_on() -> int:
    """What the task and the workers do with everybody in the next minutes; returns how many are erased then."""
    erased = _a_run()
    for _ in range(5):
        if not Leaving.objects.filter(step=saga.PROOF, person__erased_at=None, removed_at__isnull=False).exists():
            break
        withheld()
        Leaving.objects.update(removed_at=None)
        erased += _a_run()
    return erased


def _a_run() -> int:
    Leaving.objects.update(due_at=None)
    with patch.multiple(saga, RUN_SECONDS=60.0, A_TURN_SECONDS=20.0, RETRY_SECONDS=0):
        return saga.erase_all()


def erased(person: User) -> bool:
    return User.objects.filter(pk=person.pk, erased_at__isnull=False).exists()


def traces(person: User) -> list[str]:
    """The steps that still find something, which is what the proof asks; none once they are erased."""
    return saga.traces_of(person.id)


def step_named(name: str) -> Step:
    return next(each for each in saga.registered_steps() if each.name == name)


def rebuilt(step: Step, erase: Callable[[int, int], Piece]) -> list[Step]:
    """The steps that are registered, of which that one erases otherwise."""
    return [msgspec.structs.replace(each, erase=erase) if each is step else each for each in saga.registered_steps()]
