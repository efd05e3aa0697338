"""The same operations through REST and through GraphQL: the same answers on the way, the same state, the same pages.

Two circles of people do the same, one at each door. Then everybody looks at everything, the first circle by REST and
the second by GraphQL; with names and ids told apart only by whose and which they are, they must see the same.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.querying import WHOLE_TWEET, Door, camel
from tests.people import new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")

PEOPLE = 3
ID = re.compile(r"[1-9][0-9]{15,18}")
VARYING = ("createdAt", "cursor")
PERSON = "id username displayName bio avatarUrl verified protected"
PROFILE = f"""
{PERSON} followersCount followingCount tweetsCount relationship {{ following requested followedBy blocking muting }}
"""
FRAGMENTS = f"fragment T on Tweet {{ {WHOLE_TWEET} }} fragment P on User {{ {PERSON} }}"
TWEETS = "edges { node { ...T } }"
PERSONS = "edges { node { ...P } }"
LISTS = {"tweets": TWEETS, "likes": TWEETS, "followers": PERSONS, "following": PERSONS}
ON_TWEETS = ("like", "unlike", "retweet", "unretweet", "bookmark", "unbookmark")
ON_PEOPLE = ("follow", "unfollow", "block", "unblock", "mute", "unmute")

who, which = st.integers(0, PEOPLE - 1), st.integers(0, 5)
operations = st.one_of(
    st.tuples(st.just("post"), who, st.none()),
    st.tuples(st.sampled_from(["reply", "quote", "delete", *ON_TWEETS]), who, which),
    st.tuples(st.sampled_from(ON_PEOPLE), who, who),
    st.tuples(st.just("bio"), who, st.integers(0, 2)),
)
Operation = tuple[str, int, int | None]


class Circle:
    """Some people and what they have posted, seen by whoever acts through one door."""

    def __init__(self) -> None:
        self.people = [new_person() for _ in range(PEOPLE)]
        self.doors = [Door(person) for person in self.people]
        self.tweets = ["7265412345678901248"]
        """The first one is nobody's."""

    def act(self, operation: Operation) -> str | None:
        """The code of the refusal, None when it was done."""
        name, actor, target = operation
        tweet = self.tweets[(target or 0) % len(self.tweets)]
        door = self.doors[actor]
        if name in ("post", "reply", "quote"):
            text = f"{name} {len(self.tweets)} @nobody_here #tag"
            return self.post(door, {"text": text, **({} if name == "post" else {f"{name}": tweet})})
        if name == "bio":
            return self.change(door, f"bio {target}" if target else "x" * 161)
        if name == "delete":
            return self.delete(door, tweet)
        if name in ON_PEOPLE:
            return self.relate(door, name, self.people[target or 0].username)
        return self.mark(door, name, tweet)

    def post(self, door: Door, given: dict[str, str]) -> str | None:
        raise NotImplementedError

    def change(self, door: Door, bio: str) -> str | None:
        raise NotImplementedError

    def delete(self, door: Door, tweet: str) -> str | None:
        raise NotImplementedError

    def relate(self, door: Door, name: str, username: str) -> str | None:
        raise NotImplementedError

    def mark(self, door: Door, name: str, tweet: str) -> str | None:
        raise NotImplementedError

    def home(self, door: Door) -> Any:
        raise NotImplementedError

    def person(self, door: Door, username: str) -> Any:
        raise NotImplementedError

    def thread(self, door: Door, tweet: str) -> Any:
        raise NotImplementedError

    def seen(self) -> Any:
        """All that everybody sees."""
        names = {each: f"tweet {number}" for number, each in enumerate(self.tweets)}
        for number, person in enumerate(self.people):
            names |= {str(person.id): f"person {number}", person.username: f"person {number}"}
        doors = [*self.doors, Door()]
        homes = [self.home(door) for door in self.doors]
        people = [[self.person(door, each.username) for each in self.people] for door in doors]
        threads = [[self.thread(door, tweet) for tweet in self.tweets] for door in doors]
        return told_apart((homes, people, threads), names)


def told_apart(value: Any, names: dict[str, str]) -> Any:
    """What was shown, with names and ids told by whose and which they are; of times nothing."""
    if isinstance(value, list | tuple):
        return [told_apart(each, names) for each in value]
    if isinstance(value, dict):
        return {name: told_apart(each, names) for name, each in value.items() if name not in VARYING}
    if isinstance(value, str):
        return names.get(value, "some id" if ID.fullmatch(value) else value)
    return value


class Rest(Circle):
    def ask(self, door: Door, method: str, path: str, body: Any = None) -> Any:
        raw = json.dumps(body) if body is not None else ""
        return door.client.generic(method.upper(), f"/api/v1/{path}", raw, "application/json")

    def told(self, answer: Any) -> str | None:
        return answer.json()["code"] if answer.status_code >= 400 else None

    def post(self, door: Door, given: dict[str, str]) -> str | None:
        named = {"reply": "reply_to", "quote": "quote_of"}
        answer = self.ask(door, "post", "tweets", {named.get(name, name): it for name, it in given.items()})
        if answer.status_code == 201:
            self.tweets.append(answer.json()["data"]["id"])
        return self.told(answer)

    def change(self, door: Door, bio: str) -> str | None:
        return self.told(self.ask(door, "patch", "me", {"bio": bio}))

    def delete(self, door: Door, tweet: str) -> str | None:
        return self.told(self.ask(door, "delete", f"tweets/{tweet}"))

    def relate(self, door: Door, name: str, username: str) -> str | None:
        method = "delete" if name.startswith("un") else "put"
        return self.told(self.ask(door, method, f"users/{username}/{name.removeprefix('un')}"))

    def mark(self, door: Door, name: str, tweet: str) -> str | None:
        method = "delete" if name.startswith("un") else "put"
        return self.told(self.ask(door, method, f"tweets/{tweet}/{name.removeprefix('un')}"))

    def shown(self, door: Door, path: str) -> Any:
        answer = door.client.get(f"/api/v1/{path}")
        return camel(answer.json()["data"]) if answer.status_code == 200 else None

    def home(self, door: Door) -> Any:
        return tweets_as_asked(self.shown(door, "feed/home"))

    def person(self, door: Door, username: str) -> Any:
        profile = self.shown(door, f"users/{username}")
        if profile is None:
            return None
        lists = {name: self.shown(door, f"users/{username}/{name}") for name in LISTS}
        return profile | {name: tweets_as_asked(shown) for name, shown in lists.items()}

    def thread(self, door: Door, tweet: str) -> Any:
        shown = self.shown(door, f"tweets/{tweet}/thread")
        if shown is None:
            return None
        people = {name: self.shown(door, f"tweets/{tweet}/{name}") for name in ("likes", "retweets")}
        whole = tweets_as_asked([*shown["ancestors"], shown["tweet"], *shown["replies"]])
        return [whole, people["likes"], people["retweets"]]


def tweets_as_asked(shown: Any) -> Any:
    """REST's tweets with no more of what stands in them than `WHOLE_TWEET` asks for."""
    for each in shown:
        for inner in ("quoteOf", "retweetOf"):
            if each.get(inner):
                each[inner].pop("quoteOf", None)
        if each.get("retweetOf"):
            each["retweetOf"] = {"id": each["retweetOf"]["id"]}
    return shown


class GraphQL(Circle):
    def told(self, door: Door, name: str, given: dict[str, str], answer: str = "") -> tuple[str | None, Any]:
        kind = f"{name[0].upper()}{name[1:]}Input!"
        query = f"mutation($input: {kind}) {{ {name}(input: $input) {{ errors {{ code }} {answer} }} }}"
        body = door.ask(query, {"input": given}).json()
        if "errors" in body:
            return body["errors"][0]["extensions"]["code"], None
        payload = body["data"][name]
        return (payload["errors"][0]["code"] if payload["errors"] else None), payload

    def post(self, door: Door, given: dict[str, str]) -> str | None:
        named = {"reply": "replyTo", "quote": "quoteOf"}
        fields = {named.get(name, name): it for name, it in given.items()}
        code, payload = self.told(door, "createTweet", fields, "tweet { id }")
        if code is None:
            self.tweets.append(payload["tweet"]["id"])
        return code

    def change(self, door: Door, bio: str) -> str | None:
        return self.told(door, "updateProfile", {"bio": bio})[0]

    def delete(self, door: Door, tweet: str) -> str | None:
        return self.told(door, "deleteTweet", {"tweetId": tweet})[0]

    def relate(self, door: Door, name: str, username: str) -> str | None:
        return self.told(door, name, {"username": username})[0]

    def mark(self, door: Door, name: str, tweet: str) -> str | None:
        return self.told(door, name, {"tweetId": tweet})[0]

    def home(self, door: Door) -> Any:
        return nodes(door.data(f"{{ homeTimeline {{ {TWEETS} }} me {{ ...P }} }} {FRAGMENTS}")["homeTimeline"])

    def person(self, door: Door, username: str) -> Any:
        lists = " ".join(f"{name} {{ {fields} }}" for name, fields in LISTS.items())
        shown = door.data(f'{{ user(username: "{username}") {{ {PROFILE} {lists} }} }} {FRAGMENTS}')["user"]
        return shown and shown | {name: nodes(shown[name]) for name in LISTS}

    def thread(self, door: Door, tweet: str) -> Any:
        inner = f"ancestors(last: 10) {{ ...T }} tweet {{ ...T }} replies {{ {TWEETS} }}"
        fields = f"thread {{ {inner} }} likedBy {{ {PERSONS} }} retweetedBy {{ {PERSONS} }}"
        shown = door.data(f'{{ tweet(id: "{tweet}") {{ {fields} }} }} {FRAGMENTS}')["tweet"]
        if shown is None:
            return None
        thread = shown["thread"]
        whole = [*thread["ancestors"], thread["tweet"], *nodes(thread["replies"])]
        return [whole_of(whole), nodes(shown["likedBy"]), nodes(shown["retweetedBy"])]


def nodes(connection: Any) -> Any:
    return whole_of([edge["node"] for edge in connection["edges"]])


def whole_of(shown: list[Any]) -> list[Any]:
    for each in shown:
        if each.get("quoteOf"):
            each["quoteOf"].pop("quoteOf")
    return shown


SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=5, deadline=None, database=None, suppress_health_check=SLOW)
@given(st.lists(operations, min_size=6, max_size=25))
def test_what_is_done_through_either_door_is_the_same(some: list[Operation]) -> None:
    rest, graphql = Rest(), GraphQL()
    for operation in [("post", 0, None), ("follow", 1, 0), ("follow", 2, 1), *some]:
        assert rest.act(operation) == graphql.act(operation), operation
    work_off_everything()
    assert rest.seen() == graphql.seen()
