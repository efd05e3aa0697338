"""Tweets as staff look them up: by id, link or cursor, by author and time; deleted ones, and suspended people's, too.

Nothing is counted and nothing skipped: a page is what comes next below a place, so that it costs the same round trips
over a hundred thousand tweets as over ten. What is deleted stands in no listing and is found by its id.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Account
from storage.errors import BadRequest, NotFound, Refused
from storage.ids.snowflakes import EPOCH_US, MAX_ID, created_at, id_in, id_us, make_id
from storage.ports.associations import Association
from storage.stores import associations
from storage.web.paging import decode_cursor
from tweets.caches import counts
from tweets.caches.counts import Counts
from tweets.entities import Tweet
from tweets.kinds import LIKE, QUOTE, RETWEET
from tweets.stores.port import tweet_store

PAGE = 20
REFERENCE_MAX = 500
"""Characters of what is looked up: an address of ours, with room."""
_LINK = re.compile(r"/(?:@[^/]+|api/v1/tweets|admin/desk/tweets)/([0-9]{1,19})(?:/.*)?")
MARKS = {"likes": LIKE, "retweets": RETWEET}
"""The lists of people who marked a tweet, by name."""


class StaffTweet(msgspec.Struct, frozen=True):
    """A tweet with whom it is by, None for nobody any more, and its counts; of a retweet its original's."""

    tweet: Tweet
    author: Account | None
    counts: Counts

    @property
    def id(self) -> int:
        return self.tweet.id


class Sheet(msgspec.Struct, frozen=True):
    """A tweet in its context: what it answers, oldest first and at most PATH_MAX levels, what it quotes or retweets."""

    subject: StaffTweet
    ancestors: list[StaffTweet]
    quoted: StaffTweet | None
    original: StaffTweet | None
    deleter: Account | None
    """Who deleted it, if that is known and they exist."""


class Mark(msgspec.Struct, frozen=True):
    """Somebody's like or retweet, by its operation; None for an account that does not exist any more."""

    op: int
    person_id: int
    account: Account | None


class Listing(msgspec.Struct, frozen=True):
    """A page, newest first; `older` is the place below which the next one begins, None at the end."""

    items: Sequence[StaffTweet | Mark]
    older: int | None


def referred_to(text: str) -> int:
    """Returns the id that an id, a link to a tweet, or a cursor of ours names. Costs nothing.

    A cursor names the place that it was taken from. Raises `Refused` for anything else.
    """
    text = text.strip()
    if len(text) > REFERENCE_MAX:
        raise _no_reference()
    link = _LINK.fullmatch(_path_of(text))
    digits = link[1] if link is not None else text
    if digits.isascii() and digits.isdecimal():
        if not (tweet_id := id_in(digits)):
            raise _no_reference()
        return tweet_id
    try:
        return decode_cursor(text)
    except BadRequest as error:
        raise _no_reference() from error


def existing(tweet_id: int) -> int:
    """Returns the id if it is a tweet's, deleted or not. One store read. Raises `NotFound`."""
    if tweet_id not in tweet_store().get_many([tweet_id]):
        raise NotFound(f"No tweet has the id {tweet_id}, which is of {created_at(tweet_id)}.")
    return tweet_id


def sheet(tweet_id: int) -> Sheet:
    """Returns the tweet, deleted or not, with what stands around it. Two or three store reads, accounts and counts.

    Raises `NotFound` and `Unavailable`.
    """
    tweet = tweet_store().get_many([tweet_id]).get(tweet_id)
    if tweet is None:
        raise NotFound("There is no tweet with this id, and never was one that the store knows.")
    around = [*tweet.known_path, *(each for each in (tweet.quote_of_id, tweet.retweet_of_id) if each is not None)]
    known = {tweet.id: tweet} | (tweet_store().get_many(list(dict.fromkeys(around))) if around else {})
    people = [tweet.deleted_by] if tweet.deleted_by is not None else []
    shown, accounts = _shown(known.values(), people)
    return Sheet(
        subject=shown[tweet.id],
        ancestors=[shown[each] for each in tweet.known_path if each in shown],
        quoted=shown.get(tweet.quote_of_id or 0),
        original=shown.get(tweet.retweet_of_id or 0),
        deleter=accounts.get(tweet.deleted_by or 0),
    )


def by_author(author_id: int, *, before: int | None = None) -> Listing:
    """Returns somebody's tweets, replies and retweets below a place, those deleted not among them."""
    return _page(tweet_store().by_author(author_id, replies=True, before=before, limit=PAGE + 1))


def replies_to(tweet_id: int, *, before: int | None = None) -> Listing:
    return _page(tweet_store().replies(tweet_id, before=before, limit=PAGE + 1))


def quotes_of(tweet_id: int, *, before: int | None = None) -> Listing:
    """Returns what quotes the tweet; a place is the quote's operation, which is its id unless it was restored."""
    edges = associations().newest_sources(tweet_id, QUOTE, before=before, limit=PAGE + 1)
    listing = _page([edge.source for edge in edges])
    return Listing(listing.items, edges[PAGE - 1].op if len(edges) > PAGE else None)


def marked_by(tweet_id: int, kind: str, *, before: int | None = None) -> Listing:
    """Returns who likes or retweeted the tweet, suspended people too. One store read, and the accounts."""
    edges: Sequence[Association] = associations().newest_sources(tweet_id, kind, before=before, limit=PAGE + 1)
    page = edges[:PAGE]
    accounts = accounts_by_id({edge.source for edge in page})
    marks = [Mark(edge.op, edge.source, accounts.get(edge.source)) for edge in page]
    return Listing(marks, page[-1].op if len(edges) > PAGE else None)


def place_of(moment: datetime) -> int:
    """Returns the place below which is what was posted before the moment. Raises `Refused` for before all ids."""
    us = int(moment.timestamp() * 1_000_000)
    if not EPOCH_US <= us <= id_us(MAX_ID):
        raise Refused("until", "No tweet is of that time.")
    return make_id(us, 0)


def shown_of(tweets: Collection[Tweet]) -> dict[int, StaffTweet]:
    """Returns the tweets as staff see them, by id: their authors' accounts and counts, each in one look-up."""
    return _shown(tweets, [])[0]


def _page(ids: Sequence[int]) -> Listing:
    """One store read for the tweets, besides accounts and counts; one id more than a page says that there is more."""
    page = ids[:PAGE]
    shown = shown_of(tweet_store().get_many(page).values()) if page else {}
    return Listing([shown[each] for each in page if each in shown], page[-1] if len(ids) > PAGE else None)


def _shown(tweets: Collection[Tweet], people: Sequence[int]) -> tuple[dict[int, StaffTweet], dict[int, Account]]:
    accounts = accounts_by_id({tweet.author_id for tweet in tweets}.union(people))
    counted = counts.counts_of(list({tweet.retweet_of_id or tweet.id for tweet in tweets}))
    shown = {
        tweet.id: StaffTweet(
            tweet, accounts.get(tweet.author_id), counted.get(tweet.retweet_of_id or tweet.id, Counts())
        )
        for tweet in tweets
    }
    return shown, accounts


def _path_of(text: str) -> str:
    try:
        return urlsplit(text).path
    except ValueError:
        return ""


def _no_reference() -> Refused:
    return Refused("q", "That is no id, no link to a tweet and no cursor of this site.")
