"""Notifications at GraphQL: what REST says, and marking them as read."""

from typing import Any

import pytest

from accounts.graph import follows
from tests.integration.feed.notified import items, likes, page, unread
from tests.integration.querying import WHOLE_TWEET, Door, camel
from tests.integration.tweeting import post
from tests.people import new_person

pytestmark = [pytest.mark.usefixtures("product"), pytest.mark.parametrize("store", ["embedded"], indirect=True)]

USER = "id username displayName bio avatarUrl verified protected createdAt"
NOTIFICATION = f"id type people {{ {USER} }} peopleCount createdAt read tweet {{ {WHOLE_TWEET} }}"
QUERY = f"""
query News($types: [String!], $first: Int, $after: String) {{
  unreadNotificationsCount
  notifications(types: $types, first: $first, after: $after) {{
    edges {{ cursor node {{ {NOTIFICATION} }} }} pageInfo {{ hasNextPage endCursor startCursor }}
  }}
}}
"""
MARK = """
mutation Mark($input: MarkNotificationsReadInput!) {
  markNotificationsRead(input: $input) { ok errors { field code } }
}
"""


def nodes(answer: Any) -> list[Any]:
    return [edge["node"] for edge in answer["notifications"]["edges"]]


def test_it_says_what_rest_says_page_by_page() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    follows.follow(ben.id, ada.id)
    likes(ben, tweet)
    post(ben, "a reply", reply_to=tweet)
    door = Door(ada)
    shown = items(ada)
    answer = door.data(QUERY)
    assert nodes(answer) == camel(shown)
    assert answer["unreadNotificationsCount"] == unread(ada) == 3
    first = door.data(QUERY, {"first": 2})
    assert first["notifications"]["pageInfo"]["hasNextPage"]
    cursor = first["notifications"]["pageInfo"]["endCursor"]
    assert cursor == page(ada, "limit=2")["meta"]["next_cursor"]
    assert nodes(first) + nodes(door.data(QUERY, {"after": cursor})) == camel(shown)
    assert nodes(door.data(QUERY, {"types": ["like", "reply"]})) == camel(shown[:2])


def test_what_was_read_is_marked_and_what_is_no_id_can_be_mended() -> None:
    ada, ben = new_person(), new_person()
    likes(ben, post(ada))
    [like] = items(ada)
    door = Door(ada)
    refused = door.data(MARK, {"input": {"upTo": "x"}})["markNotificationsRead"]
    assert refused == {"ok": False, "errors": [{"field": "upTo", "code": "malformed_id"}]}
    for _ in range(2):
        marked = door.data(MARK, {"input": {"upTo": like["id"]}})["markNotificationsRead"]
        assert marked == {"ok": True, "errors": []}
    answer = door.data(QUERY)
    assert answer["unreadNotificationsCount"] == 0
    assert [each["read"] for each in nodes(answer)] == [True]


def test_nobody_signed_in_and_types_that_are_none_are_refused() -> None:
    [error] = Door().errors("{ unreadNotificationsCount }", status=200)
    assert error["extensions"]["code"] == "not_authenticated"
    [error] = Door(new_person()).errors('{ notifications(types: ["likes"]) { edges { cursor } } }', status=200)
    assert error["extensions"]["code"] == "bad_types"
