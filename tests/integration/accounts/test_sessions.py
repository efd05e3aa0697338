"""Where one is signed in: what is told of it, and signing out there alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken

from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.models import User
from accounts.people import suspending
from accounts.session_rows import TokenUse
from accounts.sessions import many_tokens, tokens, uses
from accounts.sessions.ending import end_all
from accounts.sessions.ending_all import end_everybodys
from accounts.sessions.uses import NOTED_SECONDS, note_used
from storage.ids.snowflakes import make_id
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy
from tests.integration.querying import Door, ids
from tests.integration.speaking import Api, follow, problem
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("people_database", "redis_servers")

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
SESSIONS = """
query($first: Int, $after: String) { me { sessions(first: $first, after: $after) {
  edges { cursor node { id createdAt lastUsedAt client current } } pageInfo { hasNextPage }
} } }
"""
REVOKE = "mutation($id: ID!) { revokeSession(input: {id: $id}) { ok errors { field code } } }"


def sessions(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.page("/me/sessions")["data"]
    return found


def signed_in_with(person: User, agent: str) -> Api:
    login = {"username": person.username, "password": PASSWORD}
    answer = Api().call("POST", "/auth/token", login, HTTP_USER_AGENT=agent)
    return Api(token=answer.json()["data"]["token"])


def used(person: User, *, seconds_ago: float) -> None:
    """As if every token of theirs had been used then, and Redis knew none of them any more."""
    TokenUse.objects.filter(user_id=person.pk).update(last_used_at=datetime.now(UTC) - timedelta(seconds=seconds_ago))
    AuthToken.objects.filter(user=person).update(created=datetime.now(UTC) - timedelta(days=1))
    digests = AuthToken.objects.filter(user=person).values_list("digest", flat=True)
    timeline_node().round_trip(*[("DEL", TOKENS.key(Claim(person.pk, digest))) for digest in digests])


def test_each_sign_in_is_told_at_both_doors_newest_first() -> None:
    ada = new_person()
    Api(new_person())
    first, second = signed_in_with(ada, FIREFOX), signed_in_with(ada, "curl/8.5.0")
    told = sessions(first)
    assert [(each["client"], each["current"]) for each in told] == [("curl", False), ("Firefox on Linux", True)]
    assert [each["id"] for each in told] == sorted((each["id"] for each in told), key=int, reverse=True)
    assert all(each["created_at"] <= each["last_used_at"] for each in told)
    assert [each["current"] for each in sessions(second)] == [True, False]
    edges = Door(token=first._client.token).data(SESSIONS)["me"]["sessions"]["edges"]
    assert [(each["node"]["id"], each["node"]["client"]) for each in edges] == [
        (each["id"], each["client"]) for each in told
    ]
    assert first._client.token is not None
    assert first._client.token.partition(".")[2][:8] not in str(told)


def test_graphql_signs_in_and_up_by_name_too() -> None:
    create = "mutation($i: CreateTokenInput!) { createToken(input: $i) { token } }"
    register = "mutation($i: RegisterInput!) { register(input: $i) { token } }"
    account = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    for query, given in ((register, account), (create, {"username": "ada", "password": PASSWORD})):
        answer = Door().client.post(
            "/graphql", {"query": query, "variables": {"i": given}}, "application/json", headers={"User-Agent": FIREFOX}
        )
        [payload] = answer.json()["data"].values()
        assert [each["client"] for each in sessions(Api(token=payload["token"])) if each["current"]] == [
            "Firefox on Linux"
        ]


def test_pages_hold_each_session_once_also_those_of_one_microsecond() -> None:
    ada = new_person()
    api = Api(ada)
    for _ in range(6):
        tokens.issue(ada)
    AuthToken.objects.filter(user=ada).update(created=datetime.now(UTC))
    everything = [each["id"] for each in sessions(api)]
    assert len(set(everything)) == 7
    assert everything == sorted(everything, key=int, reverse=True)
    page, found = api.page("/me/sessions", limit=2), []
    while True:
        found += [each["id"] for each in page["data"]]
        if page["links"]["next"] is None:
            break
        page = follow(api, page["links"]["next"])
    assert found == everything
    door, after, seen = Door(token=api._client.token), None, list[str]()
    while True:
        shown = door.data(SESSIONS, {"first": 3, "after": after})["me"]["sessions"]
        seen += ids(shown)
        if not shown["pageInfo"]["hasNextPage"]:
            break
        after = shown["edges"][-1]["cursor"]
    assert seen == everything
    gone = next(each["id"] for each in sessions(api) if not each["current"])
    assert api.call("DELETE", f"/me/sessions/{gone}").status_code == 204
    everything.remove(gone)
    assert [each["id"] for each in sessions(api)] == everything, "that one alone"
    AuthToken.objects.filter(user=ada).update(created=datetime.now(UTC) - timedelta(days=1))
    since = api.page("/me/sessions", limit=1)["meta"]["prev_cursor"]
    newer = tokens.issue(ada)
    AuthToken.objects.filter(digest=tokens.read_claim(newer).digest).update(created=datetime.now(UTC))
    assert [each["id"] for each in api.page("/me/sessions", since=since)["data"]][:1] == [sessions(api)[0]["id"]]


@pytest.mark.parametrize("door", ["rest", "graphql"])
def test_one_that_is_revoked_is_out_at_once_and_the_others_stay(door: str) -> None:
    ada = new_person()
    mine, other, third = Api(ada), Api(ada), Api(ada)
    assert all(each.get("/me").status_code == 200 for each in (mine, other, third))
    [other_id] = [each["id"] for each in sessions(other) if each["current"]]
    if door == "rest":
        assert mine.call("DELETE", f"/me/sessions/{other_id}").status_code == 204
    else:
        made = Door(token=mine._client.token).data(REVOKE, {"id": other_id})["revokeSession"]
        assert made == {"ok": True, "errors": []}
    problem(other.get("/me"), 401, "bad_token")
    assert third.get("/me").status_code == 200
    assert other_id not in [each["id"] for each in sessions(mine)]
    assert len(sessions(mine)) == 2
    problem(mine.call("DELETE", f"/me/sessions/{other_id}"), 404, "not_found")
    assert Door(token=mine._client.token).data(REVOKE, {"id": other_id})["revokeSession"] == {
        "ok": False,
        "errors": [{"field": "id", "code": "not_found"}],
    }


def test_one_may_revoke_the_session_that_asks() -> None:
    mine = Api(new_person())
    [own] = sessions(mine)
    assert mine.call("DELETE", f"/me/sessions/{own['id']}").status_code == 204
    problem(mine.get("/me"), 401, "bad_token")


def test_nobody_revokes_a_stranger_s_or_what_is_none() -> None:
    ada, stranger = Api(new_person()), Api(new_person())
    [theirs] = sessions(ada)
    problem(stranger.call("DELETE", f"/me/sessions/{theirs['id']}"), 404, "not_found")
    problem(stranger.call("DELETE", f"/me/sessions/{make_id(1_700_000_000_000_000, 7)}"), 404, "not_found")
    problem(stranger.call("DELETE", "/me/sessions/abc"), 400, "malformed_id")
    assert ada.get("/me").status_code == 200
    shown = Door(token=stranger._client.token).data(
        "query($n: String!) { user(username: $n) { sessions { edges { node { id } } } } }",
        {"n": ada.get("/me").json()["data"]["username"]},
    )
    assert shown == {"user": {"sessions": None}}


def test_sessions_that_have_ended_are_not_told_and_leave_nothing() -> None:
    ada = new_person()
    api, digest = Api(ada), tokens.read_claim(tokens.issue(ada)).digest
    [other] = [each["id"] for each in sessions(api) if not each["current"]]
    AuthToken.objects.filter(digest=digest).update(expiry=datetime.now(UTC) - timedelta(seconds=1))
    assert [each["current"] for each in sessions(api)] == [True]
    problem(api.call("DELETE", f"/me/sessions/{other}"), 404, "not_found")
    AuthToken.objects.filter(user=ada).update(expiry=datetime.now(UTC) - timedelta(seconds=1))
    Api(ada)
    assert TokenUse.objects.filter(user_id=ada.pk).count() == 1, "what has ended is forgotten at the next sign-in"
    end_all(ada.pk)
    assert TokenUse.objects.filter(user_id=ada.pk).count() == 0
    Api(ada)
    end_everybodys()
    assert TokenUse.objects.count() == 0


def test_last_used_is_now_here_and_of_others_up_to_seven_hours_old() -> None:
    ada = new_person()
    mine, other = Api(ada), Api(ada)
    used(ada, seconds_ago=NOTED_SECONDS - 60)
    before = datetime.now(UTC)
    told = {each["current"]: datetime.fromisoformat(each["last_used_at"]) for each in sessions(mine)}
    assert told[True] >= before - timedelta(milliseconds=1)
    assert told[False] < before - timedelta(seconds=NOTED_SECONDS - 120)
    used(ada, seconds_ago=NOTED_SECONDS + 60)
    assert other.get("/me").status_code == 200
    assert other_used(mine) >= before - timedelta(milliseconds=1)


def other_used(api: Api) -> datetime:
    [told] = [each["last_used_at"] for each in sessions(api) if not each["current"]]
    return datetime.fromisoformat(told)


def statements_of(use: Any) -> int:
    with CaptureQueriesContext(connection) as found:
        use()
    return len([each for each in found if each["sql"].startswith(("SELECT", "INSERT", "UPDATE"))])


@pytest.mark.parametrize("how", ["a request", "a socket"])
def test_a_use_is_noted_where_sql_is_asked_anyway_and_once_in_six_hours(how: str) -> None:
    ada = new_person()
    raw = tokens.issue(ada)
    check = {"a request": lambda: tokens.authenticate(raw), "a socket": lambda: many_tokens.good_among([raw])}[how]
    used(ada, seconds_ago=NOTED_SECONDS + 60)
    assert [statements_of(check) for _ in range(3)] == [2, 0, 0], "the token, and the note; then it is cached"
    used(ada, seconds_ago=NOTED_SECONDS - 60)
    assert [statements_of(check) for _ in range(3)] == [1, 0, 0]


def test_a_use_that_cannot_be_noted_lets_in_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = new_person()
    raw = tokens.issue(ada)
    used(ada, seconds_ago=NOTED_SECONDS + 60)

    def refused(*_: object, **__: object) -> None:
        raise DatabaseError("read only")

    monkeypatch.setattr(TokenUse.objects, "bulk_create", refused)
    assert tokens.authenticate(raw).id == ada.pk


def claims(count: int) -> list[Claim]:
    """Of tokens that nobody has, the last digest first."""
    return [Claim(1, f"{number:0128x}") for number in range(count, 0, -1)]


def noted() -> list[str]:
    return list(TokenUse.objects.order_by("pk").values_list("token_id", flat=True))


def test_uses_are_noted_in_one_order() -> None:
    TokenUse.objects.all().delete()
    given = claims(3)
    with CaptureQueriesContext(connection) as found:
        note_used(dict.fromkeys(given))
    [sql] = [each["sql"] for each in found if each["sql"].startswith("INSERT")]
    assert sorted(given, key=lambda each: sql.index(each.digest)) == given[::-1]


def test_an_upgrade_is_no_storm_of_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is made an hour, so that it does not end meanwhile."""
    TokenUse.objects.all().delete()
    monkeypatch.setattr(uses, "NOTED_A_SECOND", Policy("token-uses-of-a-test", 3, 3600))
    rate_limits._memory.storage.reset()
    given = claims(5)
    note_used(dict.fromkeys(given[:4]))
    note_used(dict.fromkeys(given[4:]))
    assert len(noted()) == 3


def test_tokens_of_the_version_before_are_told_and_noted_when_used() -> None:
    ada = new_person()
    raw = tokens.issue(ada)
    TokenUse.objects.all().delete()
    other = Api(ada)
    [old] = [each for each in sessions(other) if not each["current"]]
    assert (old["client"], old["last_used_at"]) == (None, old["created_at"])
    assert ApiClient(token=raw).get("/api/v1/me").status_code == 200
    assert TokenUse.objects.filter(token_id=tokens.read_claim(raw).digest).count() == 1
    assert other.call("DELETE", f"/me/sessions/{old['id']}").status_code == 204
    assert ApiClient(token=raw).get("/api/v1/me").status_code == 401


def test_a_suspended_person_s_sessions_are_nobody_s_to_see() -> None:
    ada = new_person()
    api = Api(ada)
    suspending.suspend(ada, by=new_person(staff=True))
    problem(api.get("/me/sessions"), 403, "suspended")


def test_a_revoked_token_is_out_of_the_cache() -> None:
    ada = new_person()
    mine, raw = Api(ada), tokens.issue(ada)
    tokens.authenticate(raw)

    def cached() -> Any:
        return timeline_node().round_trip(("GET", TOKENS.key(tokens.read_claim(raw))))[0]

    assert cached()
    [other] = [each["id"] for each in sessions(mine) if not each["current"]]
    mine.call("DELETE", f"/me/sessions/{other}")
    assert cached() == b"", "a guard stands in its place"
