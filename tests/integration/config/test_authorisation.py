"""Who may do what: every route of the URLconf, asked by everyone there is.

MATRIX is the specification. On the embedded store alone: doors and services decide, not stores;
and there all state can be compared, because all of it is rows.
"""

import json
from typing import Any

import pytest
from django.apps import apps
from django.db import connections, router

from accounts.graph import blocks
from accounts.models import User
from accounts.people import confirming, suspending
from accounts.people.resets import token_for
from tests.documented import check_documented
from tests.integration.tweeting import post, viewer
from tests.people import PASSWORD, ApiClient, new_person
from tests.routes import routes
from tweets.writing.liking import bookmark

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]

MATRIX = """
method  route                                 with       nobody suspended other blocked author staff

POST    /api/v1/auth/register                 account    201    201       201   201     201    201
POST    /api/v1/auth/token                    password   401    403       200   200     200    200
POST    /api/v1/auth/password-reset           email      202    202       202   202     202    202
POST    /api/v1/auth/password-reset/confirm   reset      200    200       200   200     200    200
POST    /api/v1/auth/email/confirm            confirm    200    200       200   200     200    200
DELETE  /api/v1/auth/token                    -          401    403       204   204     204    204
GET     /api/v1/me                            -          401    403       200   200     200    200
PATCH   /api/v1/me                            bio        401    403       200   200     200    200
DELETE  /api/v1/me                            own        401    403       202   202     202    403
GET     /api/v1/me/export                     -          401    403       200   200     200    200
GET     /api/v1/me/blocks                     -          401    403       200   200     200    200
GET     /api/v1/me/bookmarks                  -          401    403       200   200     200    200
GET     /api/v1/me/mutes                      -          401    403       200   200     200    200
GET     /api/v1/me/muted-words                -          401    403       200   200     200    200
PUT     /api/v1/me/muted-words/{word}         -          401    403       200   200     200    200
DELETE  /api/v1/me/muted-words/{word}         -          401    403       204   204     204    204
POST    /api/v1/me/email/confirmation         -          401    403       202   202     202    202
GET     /api/v1/me/follow-requests            -          401    403       200   200     200    200
PUT     /api/v1/me/follow-requests/{username} -          401    403       404   404     404    404
DELETE  /api/v1/me/follow-requests/{username} -          401    403       404   404     404    404

GET     /api/v1/me/notifications              -          401    403       200   200     200    200
GET     /api/v1/me/notifications/unread       -          401    403       200   200     200    200
PUT     /api/v1/me/notifications/read         up_to      401    403       200   200     200    200

GET     /api/v1/me/sessions                   -          401    403       200   200     200    200
DELETE  /api/v1/me/sessions/{session_id}      -          401    403       204   204     204    204

GET     /api/v1/search/users                  q          200    403       200   200     200    200
GET     /api/v1/search/tweets                 q          200    403       200   200     200    200
GET     /api/v1/users                         usernames  200    403       200   200     200    200
GET     /api/v1/users/{username}              -          200    403       200   404     200    200
GET     /api/v1/users/{username}/tweets       -          200    403       200   404     200    200
GET     /api/v1/users/{username}/followers    -          200    403       200   404     200    200
GET     /api/v1/users/{username}/following    -          200    403       200   404     200    200
GET     /api/v1/users/{username}/likes        -          200    403       200   404     200    200
PUT     /api/v1/users/{username}/follow       -          401    403       200   403     422    200
DELETE  /api/v1/users/{username}/follow       -          401    403       200   200=    200=   200
PUT     /api/v1/users/{username}/block        -          401    403       200   200     422    200
DELETE  /api/v1/users/{username}/block        -          401    403       200   200     200=   200
PUT     /api/v1/users/{username}/mute         -          401    403       200   200     422    200
DELETE  /api/v1/users/{username}/mute         -          401    403       200   200     200=   200

POST    /api/v1/tweets                        text       401    403       201   201     201    201
POST    /api/v1/tweets                        reply_to   401    403       201   422     201    201
POST    /api/v1/tweets                        quote_of   401    403       201   422     201    201
GET     /api/v1/tweets                        ids        200    403       200   200     200    200
GET     /api/v1/tweets/{tweet_id}             -          200    403       200   404     200    200
DELETE  /api/v1/tweets/{tweet_id}             -          401    403       403   404     204    204
GET     /api/v1/tweets/{tweet_id}/replies     -          200    403       200   404     200    200
GET     /api/v1/tweets/{tweet_id}/thread      -          200    403       200   404     200    200
GET     /api/v1/tweets/{tweet_id}/likes       -          200    403       200   404     200    200
GET     /api/v1/tweets/{tweet_id}/retweets    -          200    403       200   404     200    200
PUT     /api/v1/tweets/{tweet_id}/like        -          401    403       200   404     200    200
DELETE  /api/v1/tweets/{tweet_id}/like        -          401    403       200   204     200    200
PUT     /api/v1/tweets/{tweet_id}/retweet     -          401    403       200   404     200    200
DELETE  /api/v1/tweets/{tweet_id}/retweet     -          401    403       200   204     200    200
PUT     /api/v1/tweets/{tweet_id}/bookmark    -          401    403       200   404     200    200
DELETE  /api/v1/tweets/{tweet_id}/bookmark    -          401    403       200   204     200    200

GET     /api/v1/feed/home                     -          401    403       200   200     200    200
GET     /api/v1/feed/public                   -          200    403       200   200     200    200
GET     /api/v1/hashtags/{tag}/tweets         -          200    403       200   200     200    200
POST    /api/v1/reports                       tweet_id   401    403       201   201     422    201
POST    /api/v1/reports                       username   401    403       201   201     422    201

GET     /graphql                              -          400    403       400   400     400    400
GET     /graphql                              home       200    403       200   200     200    200
POST    /graphql                              home       200=   403       200=  200=    200=   200=
POST    /graphql                              mutation   200=   403       200   200=    200    200

GET     /api/v1/openapi.json                  -          200    200       200   200     200    200
GET     /api/v1/asyncapi.json                 -          200    200       200   200     200    200
GET     /api/docs/                            -          200    200       200   200     200    200
GET     /api/docs/live/                       -          200    200       200   200     200    200
GET     /api                                  -          302    302       302   302     302    302
GET     /api/                                 -          302    302       302   302     302    302
GET     /problems/{kind}                      -          200    200       200   200     200    200
GET     /                                     -          200    200       200   200     200    200
GET     /public                               -          200    200       200   200     200    200
GET     /notifications                        -          200    200       200   200     200    200
GET     /search                               -          200    200       200   200     200    200
GET     /find                                 -          200    200       200   200     200    200
GET     /bookmarks                            -          200    200       200   200     200    200
GET     /blocks                               -          200    200       200   200     200    200
GET     /mutes                                -          200    200       200   200     200    200
GET     /muted-words                          -          200    200       200   200     200    200
GET     /confirm-email                        -          200    200       200   200     200    200
GET     /follow-requests                      -          200    200       200   200     200    200
GET     /settings                             -          200    200       200   200     200    200
GET     /sign-in                              -          200    200       200   200     200    200
GET     /sign-up                              -          200    200       200   200     200    200
GET     /hashtag/{tag}                        -          200    200       200   200     200    200
GET     /@{username}                          -          200    200       200   200     200    200
GET     /@{username}/replies                  -          200    200       200   200     200    200
GET     /@{username}/likes                    -          200    200       200   200     200    200
GET     /@{username}/followers                -          200    200       200   200     200    200
GET     /@{username}/following                -          200    200       200   200     200    200
GET     /@{username}/{tweet_id}               -          200    200       200   200     200    200
GET     /@{username}/{tweet_id}/likes         -          200    200       200   200     200    200
GET     /@{username}/{tweet_id}/retweets      -          200    200       200   200     200    200
GET     /healthz                              -          200    200       200   200     200    200
GET     /readyz                               -          200    200       200   200     200    200
GET     /metrics                              -          200    200       200   200     200    200
GET     /admin/                               -          302    302       302   302     302    302
GET     /admin/                               session    302    302       302   302     302    200
"""
"""Which status each caller gets, acting on a tweet and the account of `author`.

suspended  sends a token from before the suspension; so does every caller from before they became what they are
other      an ordinary person
blocked    a person whom author has blocked
staff      may do what `other` may, and moderate

Nobody asks to follow anybody: to answer requests accounts/test_follow_requests.py has the tests.

What a DELETE of a mark or of an edge takes away was made before, by the same caller. `=` stands behind
writes that succeed and change nothing. Every other success of a write changes rows; reads and
refusals change none.

Doors that take no token (registering, signing in, forgetting a password, confirming an address, documents, health,
metrics, the page to try the product on) do not look at one either.
The admin knows sessions only. GraphQL answers 200 with the errors in the body; its mutation here is a reply; a GET has
in its address what a POST has in its body.
"""


def parsed(matrix: str) -> tuple[list[str], list[list[str]]]:
    head, *rows = [line.split() for line in matrix.splitlines() if line]
    return head[3:], rows


CALLERS, ROWS = parsed(MATRIX)
REPLY = """
mutation Reply($id: ID!) { createTweet(input: {text: "hello", replyTo: $id}) { tweet { id } errors { code } } }
"""
UNKNOWN_ID = "7265412345678901248"
UNDOCUMENTED = ("/api/v1/openapi.json", "/api/v1/asyncapi.json", "/api/docs/")


def row_name(row: list[str]) -> str:
    return " ".join(row[:3])


class Scene:
    """An author with a tweet, and a caller who is about to do something to them."""

    def __init__(self, name: str, method: str, route: str) -> None:
        self.author = new_person()
        self.tweet = post(self.author)
        self.forgetful = new_person()
        self.caller = self._person(name)
        self.client = ApiClient(self.caller)
        self.names = {
            "username": self.author.username,
            "tweet_id": str(self.tweet),
            "tag": "hello",
            "kind": "refused",
            "session_id": self._own_session(),
            "word": "dull",
        }
        self._author_client = ApiClient(self.author)
        if method == "DELETE":
            self.client.put(route.format(**self.names))
        self._become(name)

    def _person(self, name: str) -> User | None:
        if name in ("nobody", "author"):
            return self.author if name == "author" else None
        return new_person(staff=name == "staff")

    def _own_session(self) -> str:
        """The caller's own, as far as they are signed in."""
        own = self.client.get("/api/v1/me/sessions").json().get("data", [{"id": UNKNOWN_ID}])
        return str(own[0]["id"])

    def _become(self, name: str) -> None:
        if self.caller is not None and name == "suspended":
            suspending.suspend(self.caller, by=new_person(staff=True))
        if self.caller is not None and name == "blocked":
            blocks.block(self.author.id, self.caller.id)

    def ask(self, method: str, path: str, given: str = "-") -> Any:
        body = self._bodies().get(given)
        if method == "GET":
            return self.client.get(path, body)
        return self.client.generic(method, path, json.dumps(body) if body else "", "application/json")

    def sign_in_to_the_admin(self, given: str) -> None:
        if given == "session" and self.caller is not None:
            self.client.force_login(self.caller)

    def _bodies(self) -> dict[str, Any]:
        login = "nobody_here" if self.caller is None else self.caller.username
        return {
            "account": {"username": f"new_{self.tweet}", "email": f"{self.tweet}@example.org", "password": PASSWORD},
            "password": {"username": login, "password": PASSWORD},
            "q": {"q": self.author.username},
            "usernames": {"usernames": self.author.username},
            "ids": {"ids": self.names["tweet_id"]},
            "email": {"email": self.author.email},
            "reset": {"token": token_for(self.forgetful), "password": f"{PASSWORD}-2"},
            "confirm": {"token": confirming.token_for(self.forgetful)},
            "bio": {"bio": "changed"},
            "own": {"password": PASSWORD},
            "up_to": {"up_to": self.names["tweet_id"]},
            "text": {"text": "hello"},
            "reply_to": {"text": "hello", "reply_to": self.names["tweet_id"]},
            "quote_of": {"text": "hello", "quote_of": self.names["tweet_id"]},
            "tweet_id": {"tweet_id": self.names["tweet_id"], "reason": "spam"},
            "username": {"username": self.author.username, "reason": "spam"},
            "home": {"query": "{ homeTimeline { edges { node { id } } } }"},
            "mutation": {"query": REPLY, "variables": {"id": self.names["tweet_id"]}},
        }

    def state(self) -> Any:
        """Every row of both databases, and what the author is shown, which comes from caches as well."""
        rows = {model: rows_of(router.db_for_read(model), model._meta.db_table) for model in apps.get_models()}
        paths = (f"tweets/{self.tweet}", f"users/{self.author.username}")
        return rows, [self._author_client.get(f"/api/v1/{path}").json().get("data") for path in paths]


def rows_of(alias: str, table: str) -> list[tuple[object, ...]]:
    """By SQL: there are a thousand looks at some forty tables, and making each query was a third of this file's CPU."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connections[alias].ops.quote_name(table)} ORDER BY 1")  # noqa: S608 - a model's
        rows: list[tuple[object, ...]] = cursor.fetchall()
    return rows


def test_every_route_and_method_has_a_row() -> None:
    assert {(method, route) for method, route, *_ in ROWS} == set(routes())


@pytest.mark.parametrize("row", ROWS, ids=row_name)
def test_each_caller_gets_their_status_and_only_successful_writes_change_anything(row: list[str]) -> None:
    method, route, given, *cells = row
    for name, cell in zip(CALLERS, cells, strict=True):
        scene = Scene(name, method, route)
        path = route.format(**scene.names)
        scene.sign_in_to_the_admin(given)
        before = scene.state()
        answer = scene.ask(method, path, given)
        assert answer.status_code == int(cell.rstrip("=")), f"{name}: {answer.content}"
        writes = method != "GET" and answer.status_code < 300 and not cell.endswith("=")
        assert (scene.state() != before) is writes, name
        check_refusal(answer)
        if path.startswith("/api/v1/") and path not in UNDOCUMENTED:
            check_documented(answer)


def check_refusal(answer: Any) -> None:
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.has_header("WWW-Authenticate") is (answer.status_code == 401)


@pytest.mark.parametrize("row", [row for row in ROWS if row[3 + CALLERS.index("blocked")] == "404"], ids=row_name)
def test_to_whom_is_blocked_it_is_as_if_it_did_not_exist(row: list[str]) -> None:
    method, route, *_ = row
    scene = Scene("blocked", method, route)
    hidden, unknown = (
        scene.ask(method, route.format(**names)).json()
        for names in (scene.names, {"username": "nobody_here", "tweet_id": UNKNOWN_ID})
    )
    of_the_request = {"instance", "request_id"}
    assert {name: it for name, it in hidden.items() if name not in of_the_request} == {
        name: it for name, it in unknown.items() if name not in of_the_request
    }


@pytest.mark.parametrize("name", CALLERS)
def test_collections_show_callers_what_is_for_them(name: str) -> None:
    scene = Scene(name, "GET", "")
    bookmark(viewer=viewer(scene.author), tweet_id=scene.tweet)
    somebody = new_person()
    blocks.block(scene.author.id, somebody.id)
    blocks.mute(scene.author.id, somebody.id)

    def shows(path: str) -> bool:
        body = scene.client.get(f"/api/v1/{path}").content.decode()
        return str(scene.tweet) in body or f'"{somebody.username}"' in body

    assert shows("feed/public") is (name not in ("suspended", "blocked"))
    assert shows("me/bookmarks") is (name == "author"), "bookmarks are private"
    assert shows("me/blocks") is shows("me/mutes") is (name == "author"), "so are these"
    assert shows("feed/home") is (name == "author"), "nobody else follows"
    for path in (f"users/{scene.author.username}", f"tweets/{scene.tweet}"):
        assert scene.author.email not in scene.client.get(f"/api/v1/{path}").content.decode(), "so are addresses"
