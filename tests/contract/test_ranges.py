"""Listings of many owners at once say what the listing of each says by itself."""

import random

import pytest

from storage.ports.associations import Association, AssociationStore, End
from storage.ports.ranges import Range
from tests.contract.edges import FOLLOW, add, remove
from tests.ids import new_id
from tweets.entities import Tweet
from tweets.stores.port import TweetStore, tweet_store


def ranges_of(owners: list[int], places: list[int], seed: int) -> dict[int, Range]:
    """A range for each: from above, from below, from any place and from beyond, of different lengths."""
    dice = random.Random(seed)
    found = {}
    for owner in owners:
        place, limit = dice.choice([*places, 1, places[-1] + 9]), dice.randrange(1, 6)
        kind = dice.randrange(3)
        found[owner] = Range(place if kind == 1 else None, place if kind == 2 else None, limit)
    return found


@pytest.fixture
def edges(associations: AssociationStore) -> list[Association]:
    """Nine people who follow each other at random, and some who have ceased to."""
    people, dice = [new_id() for _ in range(9)], random.Random(1)
    pairs = [(one, other) for one in people for other in people if one != other]
    made = [add(source, target) for source, target in dice.sample(pairs, 50)]
    associations.apply(made)
    associations.apply([remove(change.source, change.target) for change in made[::7]])
    return [Association(each.source, FOLLOW, each.target, each.op) for each in made if each not in made[::7]]


@pytest.mark.parametrize("seed", range(4))
def test_edges_of_many(associations: AssociationStore, edges: list[Association], seed: int) -> None:
    owners = [*{each.source for each in edges} | {each.target for each in edges}, new_id()]
    ranges = ranges_of(owners, [each.op for each in edges], seed)
    for end, alone in ((End.SOURCE, associations.newest_targets), (End.TARGET, associations.newest_sources)):
        together = associations.newest_of_many(FOLLOW, end, ranges)
        assert together == {
            owner: alone(owner, FOLLOW, before=each.before, after=each.after, limit=each.limit)
            for owner, each in ranges.items()
        }
        assert any(together.values())
    assert associations.newest_of_many(FOLLOW, End.SOURCE, {}) == {}


@pytest.mark.parametrize("seed", range(4))
def test_tweets_of_many(store: str, seed: int) -> None:
    tweets: TweetStore = tweet_store()
    authors, roots, dice = [new_id() for _ in range(5)], [new_id() for _ in range(5)], random.Random(seed)
    written = []
    for _ in range(40):
        tweet_id, root = new_id(), dice.choice([*roots, None])
        tweet = Tweet(tweet_id, dice.choice(authors), "hello", tweet_id, in_home=root is None, reply_to_id=root)
        tweets.add(tweet, None)
        written.append(tweet)
    for tweet in written[::9]:
        tweets.delete(tweet, op=new_id(), by=tweet.author_id, order=None)
    places = [each.id for each in written]
    ranges = ranges_of([*authors, new_id()], places, seed)
    for replies in (True, False):
        assert tweets.by_authors(ranges, replies=replies) == {
            owner: tweets.by_author(owner, replies=replies, before=each.before, after=each.after, limit=each.limit)
            for owner, each in ranges.items()
        }
    ranges = ranges_of([*roots, new_id()], places, seed)
    together = tweets.replies_to(ranges)
    assert together == {
        owner: tweets.replies(owner, before=each.before, after=each.after, limit=each.limit)
        for owner, each in ranges.items()
    }
    assert any(together.values())
