"""One state, read through REST and through GraphQL: the same ids in the same order, page by page, or nothing at both.

Some people do what a seed tells over REST, protected people, blocks, mutes and somebody who leaves among them. Then
everybody asks for everything of everybody, page by page: notifications, hashtags, searches, profiles and what stands on
them, and who asks to follow.
"""

import json
from random import Random
from typing import Any, NamedTuple

import pytest

from accounts.graph.notifications import NotificationType
from accounts.models import User
from tests.integration.indexing import index_everything
from tests.integration.querying import Door
from tests.integration.speaking import on_one_store
from tests.people import PASSWORD, ApiClient, new_person
from tests.work import work_off_everything

pytestmark = pytest.mark.usefixtures("product")

ACTS = 90
A_PAGE = 4
PAGES_MAX = 60
SEEDS = (1, 2)
NAMES = ("lead", "follower", "stranger", "blocked", "asker", "leaver")
TEXTS = ("of #agreeing engines", "engines again", "ⓐⓖⓡⓔⓔⓘⓝⓖ with @{name}", "#Agreeing, @{name}?")

TWEET = "id text author { username } quoteOf { id } retweetOf { id } counts { likes retweets quotes replies }"
NOTIFICATION = f"id type people {{ username }} peopleCount read tweet {{ {TWEET} }}"
PERSON = "id username protected"
PROFILE = f"{PERSON} followersCount followingCount tweetsCount relationship {{ following requested blocking muting }}"


class Question(NamedTuple):
    """One list at both doors: REST's path; GraphQL's field, and what stands around it if it is of somebody."""

    path: str
    field: str
    arguments: str
    node: str
    of: str = ""


class World:
    """Everybody by what they are to the lead, and all tweets that were ever posted."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.people: dict[str, User] = {name: new_person() for name in NAMES}
        self.clients = {name: ApiClient(person) for name, person in self.people.items()}
        self.tweets: list[str] = []
        self._begin()
        for _ in range(ACTS):
            self._act()
        self._end()

    def ask(self, name: str, method: str, path: str, body: Any = None) -> Any:
        """As far as it is not refused, which is as it may be."""
        answer = self.clients[name].generic(method, f"/api/v1{path}", json.dumps(body or {}), "application/json")
        assert answer.status_code < 500, answer.content
        return answer.json().get("data") if answer.content else None

    def towards(self, name: str, verb: str, other: str, method: str = "PUT") -> None:
        self.ask(name, method, f"/users/{self.people[other].username}/{verb}")

    def protect(self, name: str, on: bool) -> None:
        self.ask(name, "PATCH", "/me", {"protected": on})

    def _begin(self) -> None:
        for name in NAMES:
            for _ in range(2):
                self._post(name)
        for one, other in (("follower", "lead"), ("lead", "follower"), ("leaver", "lead"), ("blocked", "lead")):
            self.towards(one, "follow", other)

    def _act(self) -> None:
        """Of somebody, towards somebody or about a tweet."""
        name, other = self.dice.sample(NAMES, 2)
        tweet = self.dice.choice(self.tweets)
        match self.dice.choice(("post", "reply", "quote", "mark", "mark", "mark", "relate", "delete", "unmark")):
            case "post":
                self._post(name)
            case "reply":
                self._post(name, reply_to=tweet)
            case "quote":
                self._post(name, quote_of=tweet)
            case "mark":
                self.ask(name, "PUT", f"/tweets/{tweet}/{self.dice.choice(('like', 'retweet'))}")
            case "unmark":
                self.ask(name, "DELETE", f"/tweets/{tweet}/{self.dice.choice(('like', 'retweet'))}")
            case "relate":
                self.towards(name, self.dice.choice(("follow", "follow", "mute")), other)
            case "delete":
                self.ask(name, "DELETE", f"/tweets/{tweet}")

    def _end(self) -> None:
        """The lead is told of everything; the lead and somebody else are protected, some ask, and one leaves."""
        self._notify_the_lead()
        self.protect("lead", on=True)
        self.protect("stranger", on=True)
        self.towards("asker", "follow", "lead", "DELETE")
        for name in ("asker", "stranger"):
            self.towards(name, "follow", "lead")
        self.towards("follower", "follow", "lead")
        self.ask("lead", "PUT", f"/me/follow-requests/{self.people['follower'].username}")
        self.towards("lead", "block", "blocked")
        self.ask("leaver", "DELETE", "/me", {"password": PASSWORD})
        work_off_everything()
        index_everything()
        read = self.ask("lead", "GET", "/me/notifications?limit=100")
        self.ask("lead", "PUT", "/me/notifications/read", {"up_to": read[len(read) // 2]["id"]})

    def _notify_the_lead(self) -> None:
        """By somebody whom the lead does not hide."""
        tweet = self.ask("lead", "POST", "/tweets", {"text": "hear, hear"})["id"]
        self.towards("lead", "mute", "follower", "DELETE")
        for verb in ("like", "retweet"):
            self.ask("follower", "PUT", f"/tweets/{tweet}/{verb}")
        for about in ({"reply_to": tweet}, {"quote_of": tweet}, {}):
            self.ask("follower", "POST", "/tweets", {"text": f"@{self.people['lead'].username} #agreeing", **about})

    def _post(self, name: str, **about: str) -> None:
        text = self.dice.choice(TEXTS).format(name=self.people[self.dice.choice(NAMES)].username)
        made = self.ask(name, "POST", "/tweets", {"text": text, **about})
        self.tweets += [made["id"]] if made else []

    def questions(self) -> list[Question]:
        names = [person.username for person in self.people.values()]
        found = [
            Question("/me/notifications?", "notifications", "", NOTIFICATION),
            Question("/me/notifications?types=like,reply&", "notifications", 'types: ["like", "reply"]', NOTIFICATION),
            Question("/me/follow-requests?", "followRequests", "", PERSON),
            Question("/hashtags/agreeing/tweets?", "hashtagTimeline", 'tag: "agreeing"', TWEET),
            Question("/search/users?q=person&", "searchUsers", 'q: "person"', PERSON),
        ]
        for query in ("engines", "agreeing", *(f"from:{each}" for each in names)):
            found.append(Question(f"/search/tweets?q={query}&", "searchTweets", f'query: "{query}"', TWEET))
        for each in names:
            of = f'user(username: "{each}")'
            found += [Question(f"/users/{each}/{name}?", name, "", TWEET, of) for name in ("tweets", "likes")]
            found += [Question(f"/users/{each}/{name}?", name, "", PERSON, of) for name in ("followers", "following")]
        return found


def at_rest(client: ApiClient, question: Question) -> list[Any] | None:
    """Every page, what each item has of what GraphQL is asked for; None of what is not there."""
    pages: list[Any] = []
    path: str | None = f"/api/v1{question.path}limit={A_PAGE}"
    while path is not None and len(pages) < PAGES_MAX:
        answer = client.get(path)
        if answer.status_code in (401, 404):
            return None
        assert answer.status_code == 200, answer.content
        body = answer.json()
        pages.append([as_asked(each, question.node) for each in body["data"]])
        path = body["links"]["next"]
    return pages


def at_graphql(door: Door, question: Question) -> list[Any] | None:
    pages: list[Any] = []
    after: str | None = ""
    while after is not None and len(pages) < PAGES_MAX:
        arguments = ", ".join(filter(None, [question.arguments, f"first: {A_PAGE}", after]))
        page = "pageInfo { hasNextPage endCursor } edges { node { %s } }" % question.node  # noqa: UP031
        field = f"{question.field}({arguments}) {{ {page} }}"
        body = door.ask(f"{{ {question.of} {{ {field} }} }}" if question.of else f"{{ {field} }}").json()
        shown = (body.get("data") or {}).get("user" if question.of else question.field)
        if "errors" in body or shown is None:
            assert [each["extensions"]["code"] for each in body.get("errors", [])] in ([], ["not_authenticated"]), body
            return None
        connection = shown[question.field] if question.of else shown
        pages.append([edge["node"] for edge in connection["edges"]])
        info = connection["pageInfo"]
        after = f'after: "{info["endCursor"]}"' if info["hasNextPage"] else None
    return pages


def as_asked(shown: Any, node: str) -> Any:
    """What REST shows, with no more in it than the fields of a GraphQL node, under their names."""
    fields = iter(node.replace("{", " { ").replace("}", " } ").split())
    return _picked(shown, _tree(fields))


def _tree(fields: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    last = ""
    for each in fields:
        if each == "}":
            break
        if each == "{":
            tree[last] = _tree(fields)
        else:
            tree[last := each] = {}
    return tree


def _picked(shown: Any, tree: dict[str, Any]) -> Any:
    if isinstance(shown, list):
        return [_picked(each, tree) for each in shown]
    if not tree or not isinstance(shown, dict):
        return shown
    snake = {"".join("_" + c.lower() if c.isupper() else c for c in name): name for name in tree}
    return {name: _picked(shown[key], tree[name]) for key, name in snake.items()}


def differences(world: World, viewers: dict[str, User | None]) -> dict[str, Any]:
    """What the two doors show otherwise than each other, by who asks for what."""
    wrong = {}
    for name, person in viewers.items():
        client, door = ApiClient(person), Door(person)
        for question in world.questions():
            rest, graphql = at_rest(client, question), at_graphql(door, question)
            if rest != graphql:
                wrong[f"{question.path} as {name}"] = (rest, graphql)
        for each in world.people.values():
            answer = client.get(f"/api/v1/users/{each.username}")
            rest = as_asked(answer.json()["data"], PROFILE) if answer.status_code == 200 else None
            shown = door.data(f'{{ user(username: "{each.username}") {{ {PROFILE} }} }}')["user"]
            if rest != shown:
                wrong[f"{each.username} as {name}"] = (rest, shown)
        if person is not None:
            count = client.get("/api/v1/me/notifications/unread").json()["data"]["count"]
            if count != (new := door.data("{ unreadNotificationsCount }")["unreadNotificationsCount"]):
                wrong[f"unread as {name}"] = (count, new)
    return wrong


@on_one_store
@pytest.mark.parametrize("seed", SEEDS)
def test_both_doors_show_everybody_the_same(seed: int) -> None:
    world = World(seed)
    viewers: dict[str, User | None] = {name: world.people[name] for name in NAMES if name != "leaver"}
    assert differences(world, {"nobody": None, **viewers}) == {}
    lead = world.people["lead"].username
    told = at_rest(ApiClient(world.people["lead"]), world.questions()[0])
    assert told is not None
    assert len({each["type"] for page in told for each in page}) == len(NotificationType), (
        "a world in which little happens proves little"
    )
    seen = {name: len(tweets_of(person, lead)) for name, person in {"nobody": None, **viewers}.items()}
    assert {name for name, count in seen.items() if count} == {"lead", "follower"}, seen


def tweets_of(viewer: User | None, username: str) -> list[Any]:
    answer = ApiClient(viewer).get(f"/api/v1/users/{username}/tweets?limit=100")
    return list(answer.json()["data"]) if answer.status_code == 200 else []
