"""Pages of the home timeline: full, and without a seam between Redis and the store."""

import pytest
from pytest_django.fixtures import Settings

from accounts.people import suspending
from accounts.sessions import tokens
from feed.timelines.home import home_page, prefetch
from storage.redis.node import timeline_node
from storage.web.paging import PageRequest
from tests.integration.feed.reading import a_reader_of
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import ApiClient, new_person
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


def test_pages_are_full_while_there_is_more_though_many_are_hidden() -> None:
    loud, quiet, staff = new_person(), new_person(), new_person(staff=True)
    reader = a_reader_of(loud, quiet)
    shown = [post(quiet) for _ in range(2)]
    for _ in range(60):
        post(loud)
    shown += [post(quiet) for _ in range(2)]
    suspending.suspend(loud, by=staff)
    page = home_page(viewer(reader), PageRequest(limit=3))
    assert [int(tweet.id) for tweet in page.items] == [shown[3], shown[2], shown[1]]
    assert page.older == shown[1]
    last = home_page(viewer(reader), PageRequest(limit=3, before=page.older))
    assert [int(tweet.id) for tweet in last.items] == [shown[0]]
    assert last.older is None


@pytest.mark.parametrize("limit", [1, 7, 10, 25])
def test_scrolling_goes_through_the_floor_down_to_the_first_tweet(limit: int, settings: Settings) -> None:
    """The timeline holds ten; the seam to the store cannot be seen from either side."""
    settings.TIMELINE_CAP = 10
    author = new_person()
    ids = [post(author) for _ in range(25)]
    reader = a_reader_of(author)
    seen: list[int] = []
    place = None
    while True:
        page = home_page(viewer(reader), PageRequest(limit=limit, before=place))
        seen += [int(tweet.id) for tweet in page.items]
        if page.older is None:
            break
        assert len(page.items) == limit
        place = page.older
    assert seen == ids[::-1]
    assert len(in_redis(reader) or []) == 10
    up: list[int] = []
    place = ids[0] - 1
    while newer := home(reader, limit=limit, after=place):
        up = newer + up
        place = newer[0]
    assert up == ids[::-1]


def test_paging_up_keeps_its_place_while_nothing_is_new() -> None:
    author = new_person()
    tweet = post(author)
    page = home_page(viewer(author), PageRequest(after=tweet))
    assert (page.items, page.newer) == ([], tweet)
    newer = post(author)
    assert home(author, after=tweet) == [newer]


def test_a_cursor_works_after_its_tweet_was_deleted_and_redis_emptied() -> None:
    author = new_person()
    ids = [post(author) for _ in range(3)]
    home(author)
    delete_tweet(tweet_id=ids[1], viewer=viewer(author))
    timeline_node().round_trip(("FLUSHALL",))
    assert home(author, before=ids[1]) == [ids[0]]


def test_the_page_read_along_with_the_token_is_the_page_asked_for() -> None:
    author = new_person()
    ids = [post(author) for _ in range(5)]
    home(author)
    client = ApiClient(author)
    first = client.get("/api/v1/feed/home?limit=2").json()
    second = client.get(first["links"]["next"]).json()
    assert [int(tweet["id"]) for tweet in second["data"]] == [ids[2], ids[1]]
    up = client.get(second["links"]["prev"]).json()
    assert [int(tweet["id"]) for tweet in up["data"]] == [ids[4], ids[3]]
    request = PageRequest(limit=2, before=ids[3])
    prefetched = tokens.check(tokens.read_claim(client.token or ""), extra=prefetch(author.id, request)).extra
    assert prefetched is not None
    assert [int(tweet.id) for tweet in home_page(viewer(author), request, prefetched=prefetched).items] == [
        ids[2],
        ids[1],
    ]
