"""What a person can do, each as an `Action`: the call, the facts that it changes, and whether it may be refused."""

from accounts.graph import blocks, follows
from accounts.people import suspending
from tests.property.oracle import (
    BLOCKS,
    DELETED,
    FOLLOWS,
    MUTES,
    SUSPENDED,
    Fact,
    Known,
    all_of,
    negated,
)
from tests.property.world import Action, World
from tweets.writing.posting import create_tweet, delete_tweet
from tweets.writing.retweeting import retweet as retweet_tweet
from tweets.writing.retweeting import unretweet

WRITTEN = "written"
"""Where a change has reached the store, and nobody was told of it."""


def post(
    world: World, person: int, *, reply_to: int | None = None, quote_of: int | None = None, place: str | None = None
) -> Action:
    oracle = world.oracle
    targets = [each for each in (reply_to, quote_of) if each is not None]
    viewer = world.viewer(person)
    parent = oracle.entries[oracle.entries[reply_to].shown] if reply_to is not None else None
    return Action(
        "post",
        lambda: create_tweet(author=viewer, text="hello", reply_to=reply_to, quote_of=quote_of).id,
        allowed=all_of(oracle.sees(person, each) for each in targets),
        person=person,
        in_home=parent is None or parent.author == person,
        place=place,
    )


def retweet(world: World, person: int, tweet_id: int, *, place: str | None = None) -> Action:
    viewer = world.viewer(person)
    return Action(
        "retweet",
        lambda: retweet_tweet(viewer=viewer, tweet_id=tweet_id),
        allowed=world.oracle.sees(person, tweet_id),
        person=person,
        original=world.oracle.entries[tweet_id].shown,
        place=place,
    )


def undo(world: World, person: int, tweet_id: int, *, place: str | None = None) -> Action:
    """Whatever has become of the original or its author."""
    oracle, viewer = world.oracle, world.viewer(person)
    original = oracle.entries[tweet_id].shown
    return Action(
        "undo",
        lambda: unretweet(viewer=viewer, tweet_id=tweet_id),
        facts=[(Fact(DELETED, each), True) for each in oracle.retweets(person, original)],
        person=person,
        place=place,
    )


def delete(world: World, tweet_id: int, *, place: str | None = None) -> Action:
    """By its author."""
    entry = world.oracle.entries[tweet_id]
    viewer = world.viewer(entry.author)
    return Action(
        "delete",
        lambda: delete_tweet(tweet_id=tweet_id, viewer=viewer),
        facts=[(Fact(DELETED, tweet_id), True)],
        allowed=world.oracle.is_there(tweet_id),
        person=entry.author,
        place=place,
    )


def follow(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    follow = Fact(FOLLOWS, person, other)
    oracle = world.oracle
    ready = all_of([negated(oracle.known(Fact(SUSPENDED, other))), negated(oracle.parted(person, other))])
    return Action(
        "follow",
        lambda: follows.follow(person, other),
        facts=[(follow, True)],
        allowed=True if oracle.known(follow) else None if oracle.known(follow) is None else ready,
        person=person,
        place=place,
    )


def unfollow(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    facts = [(Fact(FOLLOWS, person, other), False)]
    return Action("unfollow", lambda: follows.unfollow(person, other), facts=facts, person=person, place=place)


def block(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    facts = [
        (Fact(BLOCKS, person, other), True),
        (Fact(FOLLOWS, person, other), False),
        (Fact(FOLLOWS, other, person), False),
    ]
    return Action(
        "block",
        lambda: blocks.block(person, other),
        facts=facts,
        allowed=_unless_standing(world, Fact(BLOCKS, person, other)),
        person=person,
        place=place,
    )


def unblock(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    facts = [(Fact(BLOCKS, person, other), False)]
    return Action("unblock", lambda: blocks.unblock(person, other), facts=facts, person=person, place=place)


def mute(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    muted = Fact(MUTES, person, other)
    return Action(
        "mute",
        lambda: blocks.mute(person, other),
        facts=[(muted, True)],
        allowed=_unless_standing(world, muted),
        person=person,
        place=place,
    )


def unmute(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    facts = [(Fact(MUTES, person, other), False)]
    return Action("unmute", lambda: blocks.unmute(person, other), facts=facts, person=person, place=place)


def suspend(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    """By somebody of staff; anyone will do for a service."""
    user, staff = world.user(other), world.user(person)
    facts = [(Fact(SUSPENDED, other), True)]
    return Action("suspend", lambda: suspending.suspend(user, by=staff), facts=facts, person=person, place=place)


def restore(world: World, person: int, other: int, *, place: str | None = None) -> Action:
    user, staff = world.user(other), world.user(person)
    facts = [(Fact(SUSPENDED, other), False)]
    return Action("restore", lambda: suspending.restore(user, by=staff), facts=facts, person=person, place=place)


def _unless_standing(world: World, edge: Fact) -> Known:
    """Nobody suspended is found, unless the edge is there already and nothing is to be done."""
    standing = world.oracle.known(edge)
    return True if standing else None if standing is None else negated(world.oracle.known(Fact(SUSPENDED, edge.other)))
