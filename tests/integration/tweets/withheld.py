"""Suspending people, and holding every count against its list."""

from accounts.models import User
from accounts.people import suspending
from tests.integration.speaking import Api
from tests.integration.tweeting import post, seen, viewer
from tests.people import new_person
from tests.work import open_orders, work_off_everything
from tweets.reading.outputs import CountsOut
from tweets.writing.liking import like
from tweets.writing.retweeting import retweet


def suspend(person: User) -> None:
    suspending.suspend(person, by=new_person(staff=True))


def restore(person: User) -> None:
    suspending.restore(person, by=new_person(staff=True))


def worked_off() -> None:
    """Until nothing is open: orders go on in other orders."""
    for _ in range(20):
        if not work_off_everything():
            return
    raise AssertionError(f"these go on for ever: {open_orders()}")


def listed(path: str) -> int:
    """How many a stranger finds, scrolling to the end."""
    count, next_page = 0, f"{path}?limit=100"
    client = Api()
    while next_page:
        page = client.page(next_page.removeprefix("/api/v1"))
        count += len(page["data"])
        next_page = page["links"]["next"]
    return count


def assert_profile_is_its_lists(person: User) -> tuple[int, int, int]:
    shown = Api().get(f"/users/{person.username}").json()["data"]
    counts = (shown["followers_count"], shown["following_count"], shown["tweets_count"])
    assert counts == tuple(listed(f"/users/{person.username}/{each}") for each in ("followers", "following", "tweets"))
    return counts


def assert_tweet_is_its_lists(tweet: int) -> CountsOut:
    shown = seen(tweet).counts
    lists = [listed(f"/tweets/{tweet}/{each}") for each in ("replies", "retweets", "likes")]
    assert [shown.replies, shown.retweets, shown.likes] == lists
    return shown


def reacts(person: User, tweet: int) -> tuple[int, int]:
    """Everything that counts at the tweet, once; the reply and the quote."""
    like(viewer=viewer(person), tweet_id=tweet)
    retweet(viewer=viewer(person), tweet_id=tweet)
    return post(person, reply_to=tweet), post(person, quote_of=tweet)
