"""Tweets as many viewers see them: loaded once, and looked at with each one's eyes.

What differs by viewer is in viewing.py: whom they must not see, and what they have marked.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

from accounts.entities import Account, Viewer
from accounts.graph.exclusions import Visibility, know_together
from storage.errors import Unavailable
from tweets.caches import marks
from tweets.caches.marks import UNMARKED, ViewerFlags
from tweets.reading.hydration import Loaded, load, originals_in, shown_of, with_inner
from tweets.reading.outputs import TweetOut
from tweets.reading.viewing import Known, known_of, known_without_redis


class Shared(msgspec.Struct, frozen=True):
    """What is the same for all viewers of some tweets: suspended and protected people's too, nothing of any viewer."""

    ids: tuple[int, ...]
    """Of those that are there, in the order asked for."""
    loaded: Loaded

    @property
    def originals(self) -> list[int]:
        """Returns the tweets that a viewer may have marked."""
        return originals_in(self.loaded.tweets)

    def author_of(self, tweet_id: int) -> int | None:
        """Returns whose tweet or retweet it is, None if it is not there."""
        tweet = self.loaded.tweets.get(tweet_id)
        return tweet.author_id if tweet is not None else None

    def in_public(self) -> "Shared":
        """Returns those that the public feed may show to anybody."""
        open_ids = [each for each in self.ids if not self._author(each).protected]
        return self if len(open_ids) == len(self.ids) else structs.replace(self, ids=tuple(open_ids))

    @property
    def are_open(self) -> bool:
        """Returns whether nothing in it is by anybody suspended or protected."""
        return not any(each.suspended or each.protected for each in self.loaded.authors.values())

    def authors_listed(self) -> list[Account]:
        """Returns whose the tweets are that were asked for."""
        return [self._author(each) for each in self.ids]

    def _author(self, tweet_id: int) -> Account:
        return self.loaded.authors[self.loaded.tweets[tweet_id].author_id]

    def is_unreadable(self, tweet_id: int) -> bool:
        """Returns whether the store shows nothing yet of a tweet, or of what it retweets: neither is deleted."""
        tweet = self.loaded.tweets.get(tweet_id)
        return {tweet_id, tweet.retweet_of_id if tweet else None} & self.loaded.unreadable != set()

    def shows(self, tweet_id: int) -> bool:
        """Returns whether a tweet is one of these, or shown within one."""
        return tweet_id in self.loaded.tweets


def shared(ids: Sequence[int]) -> Shared:
    """Returns what `seen_by` makes into what one viewer sees. Costs what `hydrate` does, and raises `Unavailable`."""
    everybody = Visibility(None)
    page, _ = load(ids, everybody, suspended=True)
    return Shared(tuple(each for each in ids if each in page.tweets), with_inner(page, everybody, suspended=True))


def seen_by(
    viewers: Sequence[Viewer], tweets: Shared, *, suspended: bool = False, public: bool = False
) -> dict[int, list[TweetOut]]:
    """Returns the tweets as `hydrate` does for each viewer, as of the moment when they were loaded; in the `public`
    feed without protected people's.

    One Redis round trip for all viewers, or two: whom they must not see now, and what they have marked (viewing.py).
    What of that is not cached costs each what it costs a page. Raises `Unavailable`.
    """
    ids = [viewer.id for viewer in viewers]
    try:
        known = known_of(ids, tweets.originals, home=False)
    except Unavailable:
        known = known_without_redis(ids)
    for of_viewer in known.values():
        if of_viewer.exclusions is None:
            of_viewer.visibility.know(None)  # whom Redis has just said nothing of is not asked of again
    return views_of(known, tweets.in_public() if public else tweets, suspended=suspended)


def views_of(known: Mapping[int, Known], tweets: Shared, *, suspended: bool = False) -> dict[int, list[TweetOut]]:
    """Returns the tweets as each viewer sees them of whom this is known; one list for all who see the same.

    Costs nothing but what of a viewer is not known, and one store read if somebody is protected whom not all are known
    to follow. Raises `Unavailable`.
    """
    _know_protected(known, tweets, suspended=suspended)
    found, originals = {}, tweets.originals
    unmarked = dict.fromkeys(originals, UNMARKED)
    plain = view_of_most(tweets)
    views: dict[tuple[frozenset[int], tuple[ViewerFlags, ...]], list[TweetOut]] = {
        (frozenset(), tuple(unmarked.values())): plain
    }
    all_open = suspended or tweets.are_open
    for viewer_id, of_viewer in known.items():
        if all_open and of_viewer.sees_all:
            found[viewer_id] = plain
            continue
        unseen = of_viewer.visibility.unseen_among(tweets.loaded.authors, suspended=suspended)
        flags = unmarked if of_viewer.unmarked else marks.flags(viewer_id, originals, of_viewer.marks)
        key = unseen, tuple(flags.values())
        if key not in views:
            views[key] = _seen(tweets, unseen, flags)
        found[viewer_id] = views[key]
    return found


def view_of_most(tweets: Shared) -> list[TweetOut]:
    """Returns the tweets as everybody sees them who excludes nobody and has marked none; if they `are_open`."""
    return _seen(tweets, frozenset(), dict.fromkeys(tweets.originals, UNMARKED))


def _seen(tweets: Shared, unseen: frozenset[int], flags: Mapping[int, ViewerFlags]) -> list[TweetOut]:
    shown = {each.id: each for each in tweets.loaded.tweets.values() if each.author_id not in unseen}
    loaded = structs.replace(tweets.loaded, tweets=shown)
    return shown_of([each for each in tweets.ids if each in shown], loaded, set(), flags).tweets


def _know_protected(known: Mapping[int, Known], tweets: Shared, *, suspended: bool) -> None:
    if suspended or not any(each.protected for each in tweets.loaded.authors.values()):
        return
    listed, pages = tweets.authors_listed(), {each: of_viewer.visibility for each, of_viewer in known.items()}
    for page in pages.values():
        page.know_listed(listed)
    know_together(pages, tweets.loaded.authors.values())
