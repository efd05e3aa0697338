"""Retweets: entries of their own that show their originals."""

import random

import pytest

from accounts.graph import follows
from accounts.people import suspending
from feed.timelines.home import home_page
from storage.stores import associations
from storage.web.paging import PageRequest
from tests.integration.tweeting import home, home_views, in_redis, post, seen, viewer
from tests.integration.tweets.retweets import assert_one_entry_and_edge, entries_of, entry_of
from tests.people import ApiClient, new_person
from tests.work import work_off_everything
from tweets.kinds import RETWEET
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet, unretweet

pytestmark = pytest.mark.usefixtures("product")


def test_a_retweet_is_an_entry_of_its_own_that_shows_the_original() -> None:
    author, sharer = new_person(), new_person()
    original = post(author, "look @bob #here")
    reader = new_person()
    follows.follow(reader.id, sharer.id)
    home(reader)
    answer = ApiClient(sharer).put(f"/api/v1/tweets/{original}/retweet").json()["data"]
    assert (answer["id"], answer["counts"]["retweets"], answer["viewer"]["retweeted"]) == (str(original), 1, True)
    entry = entry_of(sharer, original)
    assert home(sharer) == [entry], "in the retweeter's own timeline at once"
    assert home(reader) == []
    work_off_everything()
    [shown] = home_views(reader)
    assert shown.id == str(entry)
    assert shown.author.username == sharer.username
    assert shown.text == "look @bob #here"
    assert shown.retweet_of is not None
    assert (shown.retweet_of.id, shown.retweet_of.author.username) == (str(original), author.username)
    assert shown.entities == shown.retweet_of.entities
    assert shown.counts == shown.retweet_of.counts
    assert shown.counts.retweets == 1
    assert shown.conversation_id == str(entry)


def test_undoing_takes_it_out_of_every_timeline_at_once() -> None:
    author, sharer, reader = new_person(), new_person(), new_person()
    follows.follow(reader.id, sharer.id)
    home(reader)
    original = post(author)
    client = ApiClient(sharer)
    client.put(f"/api/v1/tweets/{original}/retweet")
    work_off_everything()
    entry = entry_of(sharer, original)
    assert home(reader) == [entry]
    for _ in range(2):
        answer = client.delete(f"/api/v1/tweets/{original}/retweet").json()["data"]
        assert (answer["id"], answer["counts"]["retweets"], answer["viewer"]["retweeted"]) == (str(original), 0, False)
    assert home(reader) == home(sharer) == []
    assert client.get(f"/api/v1/tweets/{entry}").status_code == 404
    work_off_everything()
    assert in_redis(reader) == []
    retweet(viewer=viewer(sharer), tweet_id=original)
    assert_one_entry_and_edge(sharer, original)
    assert entry_of(sharer, original) > entry


@pytest.mark.parametrize("by", ["author", "staff", "entry"])
def test_a_retweet_can_be_undone_by_its_own_id(by: str) -> None:
    author, sharer, staff = new_person(), new_person(), new_person(staff=True)
    original = post(author)
    retweet(viewer=viewer(sharer), tweet_id=original)
    entry = entry_of(sharer, original)
    if by == "entry":
        unretweet(viewer=viewer(sharer), tweet_id=entry)
    else:
        delete_tweet(tweet_id=entry, viewer=viewer(staff if by == "staff" else sharer))
    assert entries_of(sharer, original) == []
    assert seen(original, sharer).counts.retweets == 0
    assert not seen(original, sharer).viewer.retweeted  # type: ignore[union-attr]


def test_acting_twice_and_retweeting_a_retweet_act_on_the_original_once() -> None:
    author, sharer, other = new_person(), new_person(), new_person()
    original = post(author)
    for _ in range(2):
        assert retweet(viewer=viewer(sharer), tweet_id=original) == original
    entry = entry_of(sharer, original)
    assert_one_entry_and_edge(sharer, original)
    assert retweet(viewer=viewer(other), tweet_id=entry) == original
    assert retweet(viewer=viewer(sharer), tweet_id=entry) == original
    assert seen(original).counts.retweets == 2
    assert seen(entry_of(other, original)).retweet_of.id == str(original)  # type: ignore[union-attr]
    assert associations().count_sources(entry, RETWEET) == 0


def test_replying_to_a_retweet_replies_to_the_original() -> None:
    author, sharer = new_person(), new_person()
    original = post(author)
    retweet(viewer=viewer(sharer), tweet_id=original)
    reply = post(author, reply_to=entry_of(sharer, original))
    assert seen(reply).reply_to_id == str(original)
    assert seen(original).counts.replies == 1


def test_one_may_retweet_oneself_and_a_page_shows_the_tweet_once() -> None:
    author, reader = new_person(), new_person()
    follows.follow(reader.id, author.id)
    original, between = post(author), post(author)
    retweet(viewer=viewer(author), tweet_id=original)
    entry = entry_of(author, original)
    assert home(reader) == [entry, between]
    unretweet(viewer=viewer(author), tweet_id=original)
    assert home(reader) == [between, original]


def test_deleting_the_original_removes_all_its_retweets() -> None:
    author, reader = new_person(), new_person()
    sharers = [new_person() for _ in range(3)]
    original, kept = post(author), post(sharers[0])
    for sharer in sharers:
        follows.follow(reader.id, sharer.id)
        retweet(viewer=viewer(sharer), tweet_id=original)
    assert home(reader) == [entry_of(sharers[2], original), kept]
    entry = entry_of(sharers[2], original)
    delete_tweet(tweet_id=original, viewer=viewer(author))
    assert home(reader) == [kept]
    assert ApiClient().get(f"/api/v1/tweets/{entry}").status_code == 404


def test_a_suspended_authors_tweet_is_not_shown_through_retweets() -> None:
    author, sharer, staff = new_person(), new_person(), new_person(staff=True)
    original = post(author)
    retweet(viewer=viewer(sharer), tweet_id=original)
    entry = entry_of(sharer, original)
    assert home(sharer) == [entry]
    suspending.suspend(author, by=staff)
    assert home(sharer) == []
    suspending.restore(author, by=staff)
    assert home(sharer) == [entry]


def test_a_retweeted_quote_shows_what_it_quotes() -> None:
    author, sharer = new_person(), new_person()
    quoted = post(author, "quoted")
    original = post(author, "quoting", quote_of=quoted)
    retweet(viewer=viewer(sharer), tweet_id=original)
    shown = seen(entry_of(sharer, original))
    assert shown.quote_of is None
    assert shown.retweet_of is not None
    assert shown.retweet_of.quote_of is not None
    assert shown.retweet_of.quote_of.text == "quoted"
    assert seen(quoted).counts.quotes == 1, "a retweet of a quote is no quote"


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
def test_pages_stay_full_and_show_the_newest_of_original_and_retweets(limit: int) -> None:
    """Against a plain rule, down and up: of the entries of one page those of one tweet count once."""
    dice = random.Random(limit)
    people = [new_person() for _ in range(4)]
    reader = new_person()
    for person in people:
        follows.follow(reader.id, person.id)
    originals = [post(dice.choice(people)) for _ in range(8)]
    of = {each: each for each in originals}
    for original in dice.sample(originals * 2, 14):
        sharer = dice.choice(people)
        retweet(viewer=viewer(sharer), tweet_id=original)
        of[entry_of(sharer, original)] = original
    entries = sorted(of, reverse=True)
    place: int | None = None
    while True:
        expected: dict[int, int] = {}
        for entry in (each for each in entries if place is None or each < place):
            expected.setdefault(of[entry], entry)
        page = home_page(viewer(reader), PageRequest(limit=limit, before=place))
        assert [int(tweet.id) for tweet in page.items] == list(expected.values())[:limit]
        if len(expected) <= limit:
            assert page.older is None
            break
        assert page.older == int(page.items[-1].id)
        place = page.older
    place = 0
    while (page := home_page(viewer(reader), PageRequest(limit=limit, after=place))).items:
        nearest: dict[int, int] = {}
        for entry in (each for each in entries[::-1] if each > place):
            if len(nearest) == limit:
                break
            nearest.pop(of[entry], None)
            nearest[of[entry]] = entry
        assert [int(tweet.id) for tweet in page.items] == list(nearest.values())[::-1]
        place = page.newer or 0
        assert place == int(page.items[0].id)
    assert place == entries[0]


def test_who_retweeted_newest_first() -> None:
    author, sharers = new_person(), [new_person() for _ in range(3)]
    original = post(author)
    for sharer in sharers:
        retweet(viewer=viewer(sharer), tweet_id=original)
    unretweet(viewer=viewer(sharers[1]), tweet_id=original)
    page = ApiClient().get(f"/api/v1/tweets/{entry_of(sharers[0], original)}/retweets").json()
    assert [person["username"] for person in page["data"]] == [sharers[2].username, sharers[0].username]
