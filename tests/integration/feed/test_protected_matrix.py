"""What a protected person wrote, on every path, at every door, for everybody: shown to followers and herself alone.

Each row of a table is a path, and what it shows to who may see her (her followers and herself), to everybody else, and
to staff; protected_world.py has the letters. Everybody in a column is asked.
"""

from collections.abc import Callable, Sequence
from string import Template

import pytest

from tests.integration.feed.protected_world import INSIDERS, OUTSIDERS, World, protect
from tests.integration.querying import Door
from tests.integration.speaking import Api

pytestmark = pytest.mark.usefixtures("product")

REST = """
/tweets/$T                            | T           | -     | T
/tweets/$U                            | U           | -     | U
/tweets/$R                            | R           | -     | R
/tweets/$Q                            | Q T         | Q     | Q T
/tweets/$W                            | T W         | -     | T W
/tweets/$A                            | A B         | -     | A B
/tweets?ids=$T,$R,$Q,$W,$A,$S         | A B Q R S T W | Q S | A B Q R S T W
/tweets/$T/thread                     | S T         | -     | S T
/tweets/$S/thread                     | S T         | S     | S T
/tweets/$R/thread                     | B R         | -     | B R
/tweets/$B/thread                     | B R         | B     | B R
/tweets/$T/replies                    | S           | -     | S
/tweets/$B/replies                    | R           | -     | R
/tweets/$T/likes                      | C           | -     | -
/tweets/$B/likes                      | P           | -     | -
/tweets/$B/retweets                   | P           | -     | -
/users/$ada/tweets                    | A B R T U   | -     | A B R T U
/users/$ada/tweets?replies=false      | A B T U     | -     | A B T U
/users/$ada/likes                     | B           | -     | B
/users/$bob/tweets                    | B Q S T W   | B Q S | B Q S T W
/users/$carl/likes                    | T           | -     | -
/hashtags/matrix/tweets               | B U         | B     | B
/search/tweets?q=secret               | R T U       | -     | -
/search/tweets?q=from:$ada            | R T U       | -     | -
/search/tweets?q=open                 | B Q S T     | B Q S | B Q S
/feed/public                          | B Q T       | B Q   | B Q
/feed/home                            | A B Q T U W | B Q   | B Q
/me/bookmarks                         | T           | -     | -
"""

GRAPHQL = """
tweet(id: "$T") { ...S }                                                     | T           | -     | T
tweet(id: "$R") { ...S }                                                     | R           | -     | R
tweet(id: "$Q") { ...S }                                                     | Q T         | Q     | Q T
tweet(id: "$W") { ...S }                                                     | T W         | -     | T W
tweet(id: "$A") { ...S }                                                     | A B         | -     | A B
tweets(ids: ["$T", "$R", "$Q", "$W", "$S"]) { ...S }                         | Q R S T W   | Q S   | Q R S T W
tweet(id: "$S") { thread { ancestors { ...S } } }                            | T           | -     | T
tweet(id: "$T") { thread { replies { edges { node { ...S } } } } }           | S           | -     | S
tweet(id: "$B") { replies { edges { node { ...S } } } }                      | R           | -     | R
tweet(id: "$B") { likedBy { edges { node { username } } } }                  | P           | -     | -
tweet(id: "$B") { retweetedBy { edges { node { username } } } }              | P           | -     | -
tweet(id: "$T") { likedBy { edges { node { username } } } }                  | C           | -     | C
user(username: "$ada") { tweets { edges { node { ...S } } } }                | A B R T U   | -     | A B R T U
user(username: "$ada") { tweets(replies: false) { edges { node { ...S } } } } | A B T U    | -     | A B T U
user(username: "$ada") { likes { edges { node { ...S } } } }                 | B           | -     | B
user(username: "$bob") { tweets { edges { node { ...S } } } }                | B Q S T W   | B Q S | B Q S T W
user(username: "$carl") { likes { edges { node { ...S } } } }                | T           | -     | -
publicTimeline { edges { node { author { tweets { edges { node { ...S } } } } } } } | B Q S T W | B Q S | B Q S T W
hashtagTimeline(tag: "matrix") { edges { node { ...S } } }                   | B U         | B     | B
searchTweets(query: "secret") { edges { node { ...S } } }                    | R T U       | -     | -
searchTweets(query: "from:$ada") { edges { node { ...S } } }                 | R T U       | -     | -
searchTweets(query: "open") { edges { node { ...S } } }                      | B Q S T     | B Q S | B Q S
homeTimeline { edges { node { ...S } } }                                     | A B Q T U W | B Q   | B Q
"""
SHOWN = "fragment S on Tweet { id text quoteOf { id text } retweetOf { id text } }"
FOR_ITSELF = ("/feed/home", "/me/bookmarks", "homeTimeline")
"""Nobody's who is not signed in."""

NARROW = ("/tweets/$T", "/tweets/$Q", "/tweets/$B/thread", "/users/$ada/tweets", "/users/$bob/tweets", "/feed/home")
"""Where stores are asked in different ways."""


def rows(table: str) -> list[tuple[str, str, str, str]]:
    split = [tuple(each.strip() for each in line.rsplit("|", 3)) for line in table.strip().splitlines()]
    return [(path, insiders, outsiders, staff) for path, insiders, outsiders, staff in split]


def expected_of(row: tuple[str, str, str, str]) -> dict[str, str]:
    path, insiders, outsiders, staff = row
    expected = dict.fromkeys(INSIDERS, insiders) | dict.fromkeys(OUTSIDERS, outsiders) | {"staff": staff}
    if path.startswith(FOR_ITSELF):
        del expected["anonymous"]
    return expected


def at_rest(world: World, path: str, name: str) -> str:
    where, _, query = Template(path).substitute(world.ids, **world.names).partition("?")
    answer = Api(world.people[name]).call("GET", where, QUERY_STRING=query)
    assert answer.status_code in (200, 404), answer.content
    return world.seen(answer.json().get("data"))


def at_graphql(world: World, field: str, name: str) -> str:
    query = Template(field).substitute(world.ids, **world.names)
    used = f"query {{ {query} }} {SHOWN if '...S' in query else ''}"
    return world.seen(Door(world.people[name]).data(used))


See = Callable[[World, str, str], str]


def differences(world: World, table: str, see: See, only: Sequence[str] = ()) -> dict[str, tuple[str, str]]:
    """What is shown otherwise than it should be, by path and who asks: what is, and what should be."""
    wrong = {}
    for row in rows(table):
        if only and row[0] not in only:
            continue
        for name, expected in expected_of(row).items():
            shown = see(world, row[0], name)
            if shown != expected:
                wrong[f"{row[0]} as {name}"] = (shown, expected)
    return wrong


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
def test_rest_shows_what_she_wrote_to_whom_it_is_for() -> None:
    assert differences(World(), REST, at_rest) == {}


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
def test_graphql_shows_what_she_wrote_to_whom_it_is_for() -> None:
    assert differences(World(), GRAPHQL, at_graphql) == {}


def test_both_stores_say_who_follows_her() -> None:
    assert differences(World(), REST, at_rest, NARROW) == {}


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
def test_everybody_sees_everything_again_when_she_is_open() -> None:
    """All but whom a block parts from her."""
    world = World()
    protect(world.ada, protected=False)
    for row in rows(REST):
        if not row[0].startswith(("/feed/home", "/feed/public")):
            for name in ("stranger", "requested", "refused", "former", "unblocked"):
                assert at_rest(world, row[0], name) == row[1], (row[0], name)
