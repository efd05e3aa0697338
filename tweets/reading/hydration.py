"""From ids to what clients see: tweets with authors, counts, flags, quoted and retweeted tweets, in bulk.

One Redis round trip for any number of tweets when all is cached, a second one when there are
quotes or retweets of tweets that are not among them. The store and SQL are asked only for what
is not cached, and what they answer is.

What clients see of these parts is made in outputs.py, once for equal ones; each page looks all parts up anew.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Raw

from accounts.entities import Account, Viewer
from accounts.graph.exclusions import Visibility
from storage.redis.reads import NOTHING, Read
from storage.web import walking
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.walking import Source
from tweets.caches import marks
from tweets.caches.counts import Counts
from tweets.caches.marks import ViewerFlags
from tweets.entities import Tweet
from tweets.reading.loading import Loaded, load, originals_in, with_inner
from tweets.reading.outputs import TweetOut, output

__all__ = [
    "Hydrate",
    "Hydrated",
    "TweetOut",
    "full_page",
    "hydrate",
    "hydrated",
    "jsons",
    "new_tweet_out",
    "original_id",
    "rendered",
]

NO_COUNTS = Counts()


class Hydrated(msgspec.Struct, frozen=True):
    """The tweets that may be shown of some ids, in their order.

    `unreadable` are the ids of which, or of whose original, the store shows nothing yet: neither deleted nor hidden.
    """

    tweets: list[TweetOut]
    unreadable: set[int] = set()


def hydrate(
    ids: Sequence[int],
    *,
    viewer: Viewer | None,
    visibility: Visibility | None = None,
    extra: Read[object] = NOTHING,
    suspended: bool = False,
) -> list[TweetOut]:
    """Returns the tweets in the order of `ids`, as `viewer` sees them.

    Left out are those that do not exist, were deleted, or whose author is suspended, protected and not
    followed, or hidden from the viewer by `visibility` (the one of the page that they are for, or that of any place
    but home), and retweets of such tweets; with `suspended`, for staff, suspended and protected people's are
    there. `extra` is sent in the same round trip, and nobody waits for what it says. Raises
    `Unavailable` when something is not cached and its store does not answer.
    """
    return hydrated(ids, viewer=viewer, visibility=visibility, extra=extra, suspended=suspended).tweets


def hydrated(
    ids: Sequence[int],
    *,
    viewer: Viewer | None,
    visibility: Visibility | None = None,
    extra: Read[object] = NOTHING,
    suspended: bool = False,
) -> Hydrated:
    """Returns what `hydrate` does, at its cost, and which of the ids could not be read."""
    if not ids:
        return Hydrated([])
    if visibility is None:
        visibility = Visibility(viewer.id if viewer is not None else None)
    asked = marks.read(viewer.id) if viewer is not None else NOTHING
    page, known_marks = load(ids, visibility, asked, extra, suspended=suspended, listed=True)
    loaded = with_inner(page, visibility, suspended=suspended)
    flags = marks.flags(viewer.id, originals_in(loaded.tweets), known_marks) if viewer is not None else {}
    return shown_of([each for each in ids if each in page.tweets], loaded, page.unreadable, flags)


def shown_of(ids: Sequence[int], loaded: Loaded, unreadable: set[int], flags: Mapping[int, ViewerFlags]) -> Hydrated:
    """Returns the loaded tweets of these `ids`, with a viewer's flags; without those whose originals are not there."""
    tweets = [loaded.tweets[each] for each in ids]
    complete = [each for each in tweets if each.retweet_of_id is None or each.retweet_of_id in loaded.tweets]
    lacking = {each.id for each in tweets if each.retweet_of_id in loaded.unreadable}
    return Hydrated([_show(tweet, loaded, flags) for tweet in complete], unreadable | lacking)


def new_tweet_out(tweet: Tweet, author: Account) -> TweetOut:
    """Returns a tweet that quotes nothing and that nobody has reacted to, as its author sees it. Costs nothing."""
    return output(tweet, author, NO_COUNTS, ViewerFlags(), None, None)


def _show(tweet: Tweet, loaded: Loaded, flags: Mapping[int, ViewerFlags], *, quotes: bool = True) -> TweetOut:
    """Shows a tweet with what it quotes, if `quotes`; a retweet with its original, whose content it shows as well."""
    author = loaded.authors[tweet.author_id]
    if tweet.retweet_of_id is not None:
        original = loaded.tweets[tweet.retweet_of_id]
        count = loaded.counts.get(original.id, NO_COUNTS)
        return output(tweet, author, count, flags.get(original.id), None, _show(original, loaded, flags))
    quoted = loaded.tweets.get(tweet.quote_of_id) if quotes and tweet.quote_of_id is not None else None
    quote = _show(quoted, loaded, flags, quotes=False) if quoted is not None else None
    return output(tweet, author, loaded.counts.get(tweet.id, NO_COUNTS), flags.get(tweet.id), quote, None)


Hydrate = Callable[[Sequence[int]], Hydrated]


def full_page(request: PageRequest, source: Source, hydrate: Hydrate) -> Page[TweetOut]:
    """Returns the page asked for of a listing in which a tweet's place is its id; as storage/web/walking.py has it.

    The same tweet is there once: the newest of the original and its retweets."""

    return walking.full_page(request, source, partial(_shown, hydrate), same=original_id)


def _shown(hydrate: Hydrate, ids: Sequence[int]) -> Shown[TweetOut]:
    found = hydrate(ids)
    return Shown([(int(tweet.id), tweet) for tweet in found.tweets], found.unreadable)


def rendered(page: Page[TweetOut]) -> Page[Raw]:
    """Returns the page with its tweets as the JSON that each has been made into already."""
    return Page(jsons(page.items), page.older, page.newer, page.unsettled)


def jsons(tweets: Sequence[TweetOut]) -> list[Raw]:
    """Returns the JSON that each has been made into already."""
    return [Raw(tweet.json) for tweet in tweets]


def original_id(tweet: TweetOut) -> str:
    """Returns the id of what an entry shows: of a retweet that of its original."""
    return tweet.retweet_of.id if tweet.retweet_of is not None else tweet.id
