"""Speaking to the GraphQL door as a client does, and whole tweets to ask it for."""

import json
from typing import Any

from accounts.models import User
from tests.people import ApiClient

AUTHOR = "author { id username displayName avatarUrl verified }"
TWEET = f"""
id text createdAt {AUTHOR} replyToId conversationId
entities {{ mentions {{ id username indices }} hashtags {{ tag indices }} urls {{ url indices }} }}
counts {{ replies retweets quotes likes }} viewer {{ liked retweeted bookmarked }} retweetOf {{ id }}
"""
WHOLE_TWEET = f"{TWEET} quoteOf {{ {TWEET} quoteOf {{ id }} }}"
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } }"
HOME = f"query Home($first: Int, $after: String) {{ homeTimeline(first: $first, after: $after) {{ {PAGE} }} }}"
CREATE = f"""
mutation Create($input: CreateTweetInput!) {{
  createTweet(input: $input) {{ tweet {{ {WHOLE_TWEET} }} errors {{ field message code }} }}
}}
"""


class Door:
    """Asks for one person or for nobody."""

    def __init__(self, person: User | None = None, *, token: str | None = None) -> None:
        self.client = ApiClient(person, token=token)

    def post(self, body: Any, content_type: str = "application/json") -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post("/graphql", raw, content_type)

    def ask(self, query: str, variables: Any = None, **more: Any) -> Any:
        return self.post({"query": query, "variables": variables, **more})

    def data(self, query: str, variables: Any = None, **more: Any) -> Any:
        answer = self.ask(query, variables, **more)
        body = answer.json()
        assert answer.status_code == 200, body
        assert answer["Content-Type"] == "application/json"
        assert body.keys() == {"data"}, body
        return body["data"]

    def errors(self, query: str, variables: Any = None, *, status: int, **more: Any) -> list[dict[str, Any]]:
        answer = self.ask(query, variables, **more)
        assert answer.status_code == status, answer.content
        assert "Traceback" not in answer.content.decode()
        found: list[dict[str, Any]] = answer.json()["errors"]
        assert all(error["message"] for error in found)
        assert {error["extensions"].pop("requestId") for error in found} == {answer["X-Request-ID"]}
        return found

    def home(self, **variables: Any) -> Any:
        return self.data(HOME, variables)["homeTimeline"]

    def create(self, text: Any = "hello", **fields: Any) -> Any:
        return self.data(CREATE, {"input": {"text": text, **fields}})["createTweet"]

    def tweet(self, text: str = "hello", **fields: Any) -> Any:
        created = self.create(text, **fields)
        assert created["errors"] == []
        return created["tweet"]


def ids(connection: Any) -> list[str]:
    return [edge["node"]["id"] for edge in connection["edges"]]


def camel_case(name: str) -> str:
    """A name of REST's as GraphQL writes it."""
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


def camel(value: Any) -> Any:
    """What REST shows, with names as GraphQL writes them."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {camel_case(name): camel(it) for name, it in value.items()}
