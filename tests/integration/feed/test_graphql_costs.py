"""What GraphQL documents cost in round trips: as many as their shape says, however many items they show."""

import pytest

from accounts.account_cache import accounts
from accounts.graph import follows
from accounts.models import User
from storage.redis.node import timeline_node
from tests.backends import counted_round_trips, counted_sql, counted_store_calls, timeline_redis_down
from tests.integration.querying import Door
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")

PROFILE = """
id username displayName bio avatarUrl verified protected createdAt followersCount followingCount tweetsCount
relationship { following requested followedBy blocking muting }
"""
EVERYTHING = f"""
query Everything($first: Int!) {{ homeTimeline(first: $first) {{ edges {{ cursor node {{
  id text counts {{ likes }} viewer {{ liked }} author {{ {PROFILE} }}
  quoteOf {{ id text viewer {{ liked }} author {{ {PROFILE} }} }}
  replies(first: 1) {{ edges {{ node {{ id text viewer {{ liked }} author {{ {PROFILE} }} }} }} }}
}} }} }} }}
"""
LISTS = [
    ("tweets", "likedBy(first: 2) { edges { node { username relationship { following } } } }"),
    ("tweets", "retweetedBy(first: 2) { edges { node { username followersCount } } }"),
    ("tweets", "replies(first: 2) { edges { node { id replies(first: 2) { edges { node { id } } } } } }"),
    ("tweets", "thread { ancestors(last: 5) { id } tweet { id } replies(first: 2) { edges { node { id } } } }"),
    ("users", "followers(first: 2) { edges { node { username followersCount } } }"),
    ("users", "following(first: 2) { edges { node { username relationship { following } } } }"),
    ("users", "tweets(first: 2) { edges { node { id viewer { liked } } } }"),
    ("users", "likes(first: 2) { edges { node { id author { bio } } } }"),
]


class Scene:
    """A reader, and authors who have each posted five tweets: quoting, replied to, liked and retweeted."""

    def __init__(self, authors: int) -> None:
        self.reader = new_person()
        self.people = [new_person() for _ in range(authors)]
        self.tweets: list[int] = []
        for number, author in enumerate(self.people):
            follows.follow(self.reader.id, author.id)
            follows.follow(author.id, self.people[number - 1].id)
            self._write(author, self.people[number - 1])
        work_off_everything()
        self.door = Door(self.reader)

    def _write(self, author: User, other: User) -> None:
        quoted = post(other)
        client = Door(other)
        for _ in range(5):
            tweet = post(author, quote_of=quoted)
            self.tweets.append(tweet)
            reply = post(other, reply_to=tweet)
            post(author, reply_to=reply)
        client.data(f'mutation {{ like(input: {{tweetId: "{tweet}"}}) {{ errors {{ code }} }} }}')
        client.data(f'mutation {{ retweet(input: {{tweetId: "{tweet}"}}) {{ errors {{ code }} }} }}')

    def cold(self, query: str, **variables: object) -> tuple[int, int, int]:
        """Redis round trips, store calls and SQL statements, with nothing cached but the token."""
        keys = timeline_node().round_trip(("KEYS", "*"))[0]
        gone = [
            key
            for key in keys
            if not any(each in key for each in (b":generation", b":vouched", b":token:", b":graph:"))
        ]
        timeline_node().round_trip(*(("DEL", key) for key in gone))
        accounts._memory.clear()
        self.door.data("{ __typename }")
        return self.warm(query, **variables)

    def warm(self, query: str, **variables: object) -> tuple[int, int, int]:
        with counted_round_trips() as redis, counted_store_calls() as store, counted_sql("default") as sql:
            self.door.data(query, variables)
        return len(redis), len(store), len(sql)


def no_more(many: tuple[int, ...], few: tuple[int, ...]) -> bool:
    """Of many, some that are quoted or replied to stand among the others and are read with them: that is less."""
    return all(one <= other for one, other in zip(many, few, strict=True))


def test_fifty_tweets_with_all_that_belongs_to_them_cost_no_more_than_ten(product: str) -> None:
    """Authors with profiles and relationships, quoted tweets, the viewer's flags, first replies and their authors."""
    scene = Scene(10)
    assert len(scene.door.data(EVERYTHING, {"first": 50})["homeTimeline"]["edges"]) == 50
    cold, warm = scene.cold(EVERYTHING, first=10), scene.warm(EVERYTHING, first=10)
    assert no_more(scene.cold(EVERYTHING, first=50), cold)
    assert no_more(scene.warm(EVERYTHING, first=50), warm)
    assert no_more(warm, (10, 4 if product == "cassandra" else 2, 0)), "the table in docs/graphql.md says so"


@on_one_store
def test_without_redis_the_same_is_shown() -> None:
    scene = Scene(2)

    def nodes() -> list[object]:
        edges = scene.door.data(EVERYTHING, {"first": 10})["homeTimeline"]["edges"]
        return [edge["node"] for edge in edges]

    shown = nodes()
    with timeline_redis_down():
        assert nodes() == shown


@on_one_store
class TestLists:
    """A list in each item of a list costs the same for two as for ten."""

    def test_lists_within_lists(self) -> None:
        scene = Scene(5)
        ids = [str(each) for each in scene.tweets]
        names = [each.username for each in scene.people]
        for owners, field in LISTS:
            query = (
                f"query($some: [ID!]!) {{ tweets(ids: $some) {{ {field} }} }}"
                if owners == "tweets"
                else f"query($some: [String!]!) {{ users(usernames: $some) {{ {field} }} }}"
            )
            few, many = (ids[4::20], ids[4:]) if owners == "tweets" else (names[1:2], names)
            for costs in (scene.cold, scene.warm):
                costs(query, some=many)
                assert no_more(costs(query, some=many), costs(query, some=few)), field
