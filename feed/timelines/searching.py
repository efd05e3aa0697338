"""Tweets that are searched for: ids from the index, newest first, of which hydration shows what may be seen.

The index holds what is hidden as well, and what was deleted a moment ago. So whatever it says, nobody is shown what
they would not be shown by the tweet's own address: nothing deleted, of nobody suspended or blocked, and of
protected people nothing but to who follows them.
"""

import time

from accounts.entities import Viewer
from accounts.graph.exclusions import Visibility
from accounts.people.names import accounts_by_name
from feed.timelines.search_turns import TURNS
from storage.errors import BadRequest, Unavailable
from storage.web.paging import Page, PageRequest, empty_page
from tweets.reading.hydration import TweetOut, hydrate
from tweets.search.figures import SEARCH_SECONDS
from tweets.search.guarded import search_index
from tweets.search.port import READ_SECONDS, IndexQuery
from tweets.search.query import QUERY_MAX, Query, parsed

ROUNDS = 5
"""Reads of the index for a page from which much is left out: after that it is short, and its cursor goes on."""
PAGE_SECONDS = READ_SECONDS
"""For all reads of a page together: afterwards it is short, likewise."""
SPARE_SECONDS = 0.5 * PAGE_SECONDS
"""With less than this left no read is begun: one that is given too little would count as an index that fails."""
GROWTH = 4
MOST_READ = 500
"""Ids of one read, of which hydration takes some 50 ms."""


@SEARCH_SECONDS.time()
def search_page(text: str, viewer: Viewer | None, request: PageRequest) -> Page[TweetOut]:
    """Returns a page of the newest tweets for which a query asks (tweets/search/query.py), as `viewer` sees them.

    Replies and quotes as well; no retweets. Read downwards only. The cursor goes on behind the last tweet that was
    looked at, shown or not. Costs a read of the index and one round of hydration; where much is hidden, ROUNDS of them
    at most, and PAGE_SECONDS; the accounts of whom it is `from`. The index is not asked for whose tweets are hidden
    altogether.

    Raises `BadRequest` for an empty query, one above QUERY_MAX, and a page upwards; `Unavailable`; `Crowded` where
    the index takes long, and others wait for it already.
    """
    query = parsed(_checked(text))
    if request.after is not None:
        raise BadRequest("Tweets are found from the newest down: give a cursor, and no since.", code="bad_cursor")
    visibility = Visibility(viewer.id if viewer is not None else None)
    asked = _for_the_index(query, visibility) if query.asks_for_something else None
    return empty_page(request) if asked is None else _found(asked, query, viewer, visibility, request)


def _found(
    asked: IndexQuery, query: Query, viewer: Viewer | None, visibility: Visibility, request: PageRequest
) -> Page[TweetOut]:
    ends = time.monotonic() + PAGE_SECONDS
    below = min(query.below, request.before or query.below)
    shown: list[TweetOut] = []
    reading = request.limit + 1
    for rounds in range(ROUNDS):
        left = ends - time.monotonic()
        if rounds and left < SPARE_SECONDS:
            break
        try:
            with TURNS.turn():
                ids = search_index().find(asked, above=query.above, below=below, limit=reading, within=left)
        except Unavailable:
            if not rounds:
                raise
            break
        shown += hydrate(ids, viewer=viewer, visibility=visibility)
        is_over = len(ids) < reading
        if is_over or len(shown) > request.limit:
            break
        below = ids[-1]
        reading = min(reading * GROWTH, MOST_READ)
    page = shown[: request.limit]
    places = [int(tweet.id) for tweet in page]
    if len(shown) > request.limit:
        older: int | None = places[-1]
    else:
        older = None if is_over else below
    return Page(page, older=older, newer=None, places=places)


def _for_the_index(query: Query, visibility: Visibility) -> IndexQuery | None:
    """What the index is asked; None where it is asked for people alone of whom there is nobody, or nobody is shown."""
    authors: tuple[int, ...] = ()
    if query.authors:
        named = {account.id: account for account in accounts_by_name(query.authors).values()}
        authors = tuple(named.keys() - visibility.unseen_among(named))
        if not authors:
            return None
    return IndexQuery(query.phrases, query.without, query.hashtags, authors)


def _checked(text: str) -> str:
    if not text.strip():
        raise BadRequest("Say what to look for: q.", code="bad_query")
    if len(text) > QUERY_MAX:
        raise BadRequest(f"q has at most {QUERY_MAX} characters.", code="bad_query")
    return text
