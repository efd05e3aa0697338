"""Pages of tweets of many owners at once, and tweets by many ids: for whoever shows lists within lists.

Each page is the one that the selector of one owner makes (selectors.py, threads.py), but that owners are not looked
at: whoever asks has seen that the viewer may see them. What it costs depends on no number of owners: the rounds of
reads of the one whose page takes the most, and for each round one hydration.
"""

from collections.abc import Collection, Mapping, Sequence

from accounts.account_cache.accounts import UNHEARD, accounts_by_id
from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility, sees_suspended
from accounts.graph.listings import ahead, people_pages
from accounts.people.profiles import UserOut
from storage.errors import Unavailable
from storage.ports.associations import End
from storage.ports.ranges import Range
from storage.redis.node import timeline_node
from storage.stores import associations
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest, empty_page
from storage.web.together import FetchMany, Pages, full_pages
from tweets.entities import Tweet
from tweets.kinds import LIKE, RETWEET
from tweets.reading.bodies import tweets_by_id
from tweets.reading.hydration import Hydrate, Hydrated, TweetOut, hydrate, hydrated, original_id
from tweets.reading.threads import ANCESTORS_MAX
from tweets.stores.port import tweet_store


def tweets_out(ids: Sequence[int], viewer: Viewer | None) -> list[TweetOut | None]:
    """Returns the tweets as the viewer sees them, in the order asked for; None for what `tweet_out` does not find.

    Costs what `hydrate` costs.
    """
    shown = hydrate(list(dict.fromkeys(ids)), viewer=viewer, suspended=sees_suspended(viewer))
    tweets = {int(tweet.id): tweet for tweet in shown}
    return [tweets.get(each) for each in ids]


def replies_pages(tweet_ids: Collection[int], viewer: Viewer | None, request: PageRequest) -> Pages[TweetOut]:
    """Returns a page of the direct replies to each tweet; none of them is a retweet."""
    visibility = _visibility(viewer)

    def look(ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=viewer, visibility=visibility, suspended=sees_suspended(viewer))

    return full_pages(tweet_ids, request, tweet_store().replies_to, _Tweets(look).show, same=original_id)


def author_pages(
    people: Collection[int], viewer: Viewer | None, request: PageRequest, *, replies: bool
) -> Pages[TweetOut]:
    """Returns a page of each one's tweets as `author_page`: empty of those whom the viewer has hidden, or who are
    protected and not followed."""
    visibility = _visibility(viewer)
    hidden = _unseen(people, viewer, visibility)

    def look(ids: Sequence[int]) -> Hydrated:
        return hydrated(ids, viewer=viewer, visibility=visibility, suspended=sees_suspended(viewer))

    def fetch(ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        return tweet_store().by_authors(ranges, replies=replies)

    shown = full_pages(set(people) - hidden, request, fetch, _Tweets(look).show, same=original_id)
    return {**shown, **_empty(hidden, request)}


def likes_pages(people: Collection[int], viewer: Viewer | None, request: PageRequest) -> Pages[TweetOut]:
    """Returns a page of what each of them likes as `likes_page`: empty as `author_pages` are."""
    visibility = _visibility(viewer)
    hidden = _unseen(people, viewer, visibility)
    marked = _Marked(lambda ids: hydrated(ids, viewer=viewer, visibility=visibility))
    fetch: FetchMany = marked.fetch
    shown = full_pages(set(people) - hidden, request, fetch, marked.show)
    return {**shown, **_empty(hidden, request)}


def likers_pages(tweet_ids: Collection[int], viewer: Viewer | None, request: PageRequest) -> Pages[UserOut]:
    """Returns a page of who likes each tweet; none of them is a retweet."""
    return people_pages(tweet_ids, LIKE, End.TARGET, viewer, request, of_acts=True)


def retweeters_pages(tweet_ids: Collection[int], viewer: Viewer | None, request: PageRequest) -> Pages[UserOut]:
    """Returns a page of who retweeted each tweet; none of them is a retweet."""
    return people_pages(tweet_ids, RETWEET, End.TARGET, viewer, request, of_acts=True)


def ancestors_of(tweet_ids: Collection[int], viewer: Viewer | None) -> dict[int, list[TweetOut]]:
    """Returns what each tweet answers, oldest first, as `thread` shows it; none of them is a retweet.

    Costs one read of the tweets, another one for every PATH_MAX levels of the deepest thread above the first PATH_MAX,
    and a hydration.
    """
    paths = _paths(tweets_by_id(list(tweet_ids)))
    ids = list(dict.fromkeys(each for path in paths.values() for each in path))
    shown = hydrate(ids, viewer=viewer, suspended=sees_suspended(viewer))
    tweets = {int(tweet.id): tweet for tweet in shown}
    return {tweet_id: [tweets[each] for each in path if each in tweets] for tweet_id, path in paths.items()}


def _paths(subjects: Mapping[int, Tweet]) -> dict[int, list[int]]:
    """The nearest ancestors of each, oldest first, through those that were deleted."""
    paths = {tweet_id: list(tweet.known_path) for tweet_id, tweet in subjects.items()}
    going = set(paths)
    while going := {each for each in going if 0 < len(paths[each]) < ANCESTORS_MAX}:
        oldest = tweets_by_id(list({paths[each][0] for each in going}))
        for each in list(going):
            tweet = oldest.get(paths[each][0])
            if tweet is None or not tweet.known_path:
                going.discard(each)
            else:
                paths[each] = [*tweet.known_path, *paths[each]]
    return {tweet_id: path[-ANCESTORS_MAX:] for tweet_id, path in paths.items()}


class _Tweets:
    """What may be shown of listings of tweets, in which a tweet's place is its id; looked at once for all owners."""

    def __init__(self, look: Hydrate) -> None:
        self._look = look

    def show(self, asked: Mapping[int, Sequence[int]]) -> dict[int, Shown[TweetOut]]:
        found = self._look(list(dict.fromkeys(each for places in asked.values() for each in places)))
        tweets = {int(tweet.id): tweet for tweet in found.tweets}
        return {
            owner: Shown(
                [(each, tweets[each]) for each in places if each in tweets], found.unreadable.intersection(places)
            )
            for owner, places in asked.items()
        }


class _Marked:
    """Listings of what people like: a place is the like's operation."""

    def __init__(self, look: Hydrate) -> None:
        self._tweets = _Tweets(look)
        self._liked: dict[tuple[int, int], int] = {}

    def fetch(self, ranges: Mapping[int, Range]) -> dict[int, list[int]]:
        found = associations().newest_of_many(LIKE, End.SOURCE, ranges)
        self._liked |= {(owner, edge.op): edge.target for owner, edges in found.items() for edge in edges}
        return {owner: [edge.op for edge in edges] for owner, edges in found.items()}

    def show(self, asked: Mapping[int, Sequence[int]]) -> dict[int, Shown[TweetOut]]:
        liked = {owner: {self._liked[owner, place]: place for place in places} for owner, places in asked.items()}
        shown = self._tweets.show({owner: list(tweets) for owner, tweets in liked.items()})
        return {
            owner: Shown(
                [(liked[owner][tweet_id], tweet) for tweet_id, tweet in each.entries],
                [liked[owner][tweet_id] for tweet_id in each.unreadable],
            )
            for owner, each in shown.items()
        }


def _visibility(viewer: Viewer | None) -> Visibility:
    return Visibility(viewer.id if viewer is not None else None)


def _unseen(people: Collection[int], viewer: Viewer | None, visibility: Visibility) -> frozenset[int]:
    """Whose pages are empty, before anything is listed of them. One Redis round trip, as the accounts are in memory."""
    try:
        [first] = timeline_node().ask(ahead(viewer.id if viewer is not None else None))
    except Unavailable:
        known = UNHEARD
        visibility.know_without_redis()
    else:
        known = first.known
        visibility.know(first.excluded)
    accounts = accounts_by_id(people, changes=known.changes, log_shard=known.log_shard, generation=known.generation)
    return visibility.unseen_among(accounts, suspended=sees_suspended(viewer))


def _empty(owners: Collection[int], request: PageRequest) -> dict[int, Page[TweetOut]]:
    return {owner: empty_page(request) for owner in owners}
