"""Tokens: what a check costs, and that what was ended stays ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken

from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.known_tokens import TOKENS
from accounts.account_cache.vouching import look
from accounts.entities import Viewer
from accounts.models import User
from accounts.people import services, suspending
from accounts.sessions import tokens
from accounts.sessions.authentication import bearer_token
from storage.errors import Forbidden, NotSignedIn, Unavailable
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from tests.backends import counted_round_trips, timeline_redis_down
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


def viewer_of(raw: str) -> Viewer:
    return tokens.authenticate(raw)


def queries() -> CaptureQueriesContext:
    return CaptureQueriesContext(connection)


@pytest.fixture
def person() -> User:
    return new_person("ada")


@pytest.fixture
def raw(person: User) -> str:
    return tokens.issue(person)


def reading(*commands: Command) -> Read[tuple[object, ...] | None]:
    return Read(commands, lambda *answers: answers)


def in_header(header: str) -> Viewer:
    return tokens.authenticate(bearer_token(header) or "")


def test_a_warm_check_is_one_round_trip_and_no_sql_and_carries_other_commands(person: User, raw: str) -> None:
    timeline_node().round_trip(("SET", "other", b"1"))
    with queries() as cold:
        viewer_of(raw)
    assert len(cold) == 1
    with counted_round_trips() as trips, queries() as warm:
        proof = tokens.check(tokens.read_claim(raw), extra=reading(("GET", "other"), ("GET", "nothing")))
    viewer = proof.viewer
    assert (len(trips), len(warm)) == (1, 0)
    assert proof.extra == (b"1", None)
    assert (viewer.id, viewer.account, viewer.is_authenticated) == (person.id, person.account, True)


def test_the_keys_of_a_person_share_their_hash_tag(person: User, raw: str) -> None:
    claim = tokens.read_claim(raw)
    keys = [TOKENS.key(claim), ACCOUNTS.key(person.id)]
    assert len({str(key).split("}")[0] for key in keys}) == 1


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "nonsense",
        "1." + "0" * 64,
        "1." + "0" * 63,
        "1." + "0" * 65,
        "0." + "0" * 64,
        "-1." + "0" * 64,
        "1." + "A" * 64,
        "\u0661." + "0" * 64,
        "9" * 19 + "." + "0" * 64,
        "9" * 5000,
        "1." + "0" * 63 + "\n",
        "1." + "0" * 64 + "\x00",
    ],
)
def test_what_is_not_a_token_is_refused(raw: str) -> None:
    with pytest.raises(NotSignedIn):
        tokens.authenticate(raw)


def test_a_token_with_another_persons_id_in_front_is_refused(raw: str) -> None:
    other = new_person()
    secret = raw.partition(".")[2]
    with pytest.raises(NotSignedIn):
        tokens.authenticate(f"{other.id}.{secret}")


def test_a_token_ends_at_its_time_also_when_it_is_cached(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer_of(raw)
    row = AuthToken.objects.get()
    assert row.expiry - datetime.now(UTC) > timedelta(days=89)
    end_us = int(row.expiry.timestamp() * 1_000_000)
    monkeypatch.setattr("accounts.sessions.tokens.time.time_ns", lambda: (end_us - 1) * 1_000)
    with queries() as none:
        viewer_of(raw)
    monkeypatch.setattr("accounts.sessions.tokens.time.time_ns", lambda: end_us * 1_000)
    with none, pytest.raises(NotSignedIn):
        tokens.authenticate(raw)
    assert len(none) == 0


def test_a_token_that_ended_while_nobody_used_it_is_refused(raw: str) -> None:
    AuthToken.objects.update(expiry=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(NotSignedIn):
        tokens.authenticate(raw)


def test_revoking_takes_effect_at_once_although_cached(raw: str) -> None:
    viewer = viewer_of(raw)
    tokens.revoke(viewer)
    with pytest.raises(NotSignedIn):
        tokens.authenticate(raw)
    tokens.revoke(viewer)


def test_a_fill_that_arrives_after_the_revocation_brings_nothing_back(
    raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has read the row; the writer revokes and guards; only then the reader fills."""
    late_fill: list[tuple[Any, ...]] = []
    original = tokens._fill
    with monkeypatch.context() as slow:
        slow.setattr(tokens, "_fill", lambda *given: late_fill.append(given))
        viewer = viewer_of(raw)
    tokens.revoke(viewer)
    original(*late_fill[0])
    with pytest.raises(NotSignedIn):
        tokens.authenticate(raw)


def test_a_fill_that_arrives_after_the_suspension_brings_nothing_back(
    person: User, raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_fill: list[tuple[Any, ...]] = []
    original = tokens._fill
    with monkeypatch.context() as slow:
        slow.setattr(tokens, "_fill", lambda *given: late_fill.append(given))
        viewer_of(raw)
    suspending.suspend(person, by=person)
    original(*late_fill[0])
    with pytest.raises(Forbidden):
        tokens.authenticate(raw)


def test_a_suspension_shuts_out_at_once_although_cached_and_a_restoration_lets_in(person: User, raw: str) -> None:
    operator = new_person(staff=True)
    viewer_of(raw)
    suspending.suspend(person, by=operator)
    with pytest.raises(Forbidden) as refused:
        tokens.authenticate(raw)
    assert refused.value.code == "suspended"
    assert ApiClient(token=raw).get("/api/v1/me").json()["code"] == "suspended"
    with pytest.raises(Forbidden):
        services.sign_in(login="ada", password=PASSWORD)
    person.refresh_from_db()
    assert (person.suspended_by, person.is_active) == (operator, False)
    suspending.restore(person, by=operator)
    assert viewer_of(raw).id == person.id
    person.refresh_from_db()
    assert (person.suspended_by, person.suspended_at) == (None, None)


def test_without_redis_sql_tells_and_what_should_travel_along_does_not(person: User, raw: str) -> None:
    with timeline_redis_down(), queries() as asked:
        proof = tokens.check(tokens.read_claim(raw), extra=reading(("GET", "other")))
    assert (proof.viewer.id, proof.extra, len(asked)) == (person.id, None, 1)


def test_revoking_without_redis_holds_at_once_where_redis_is_away_and_everywhere_when_it_was_told(raw: str) -> None:
    viewer = viewer_of(raw)
    with timeline_redis_down():
        tokens.revoke(viewer)
        with pytest.raises(NotSignedIn):
            tokens.authenticate(raw)
    assert look()
    with pytest.raises(NotSignedIn):
        tokens.authenticate(raw)


def test_without_redis_and_sql_it_says_that_the_database_does_not_answer(raw: str) -> None:
    def refuse(*given: Any) -> None:
        raise OperationalError("could not connect to 10.0.0.1")

    with timeline_redis_down(), connection.execute_wrapper(refuse), pytest.raises(Unavailable) as caught:
        tokens.authenticate(raw)
    assert caught.value.backend == "database"
    assert "10.0.0.1" not in caught.value.message


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer ", "Token 1.00", "bearer not-a-token"])
def test_malformed_headers_are_refused(header: str) -> None:
    with pytest.raises(NotSignedIn):
        in_header(header)


def test_no_header_is_nobody_and_the_scheme_has_any_case(person: User, raw: str) -> None:
    assert bearer_token(None) is None
    assert in_header(f"bEARER  {raw} ").id == person.id


def test_the_stored_row_does_not_hold_the_token(raw: str) -> None:
    row = AuthToken.objects.get()
    assert raw.partition(".")[2] not in f"{row.digest} {row.token_key}"


def test_a_password_change_ends_every_other_token_at_once(person: User) -> None:
    here, elsewhere = ApiClient(person), ApiClient(person)
    assert here.get("/api/v1/me").status_code == elsewhere.get("/api/v1/me").status_code == 200
    change = {"password": "another-horse-42", "current_password": PASSWORD}
    assert here.patch("/api/v1/me", change, "application/json").status_code == 200
    assert here.get("/api/v1/me").status_code == 200
    assert elsewhere.get("/api/v1/me").status_code == 401
    assert services.sign_in(login="ada", password="another-horse-42").id == person.id


def test_an_error_in_a_command_along_does_not_refuse_the_viewer(raw: str) -> None:
    broken: Command = ("LPUSH", ACCOUNTS.key(tokens.read_claim(raw).user_id), b"x")
    viewer_of(raw)
    proof = tokens.check(tokens.read_claim(raw), extra=reading(broken))
    assert proof.extra is None
    assert proof.viewer.username == "ada"


def test_who_signed_in_with_the_old_password_gets_no_token_after_it_changed() -> None:
    """The change comes between the check of the password and the making of the token."""
    person = new_person()
    signed_in = services.sign_in(login=person.username, password=PASSWORD)
    change = services.ProfileChange(password="another-horse-42", current_password=PASSWORD)
    services.update_profile(person.id, change)
    with pytest.raises(NotSignedIn):
        tokens.issue(signed_in)
    assert tokens.issue(services.sign_in(login=person.username, password="another-horse-42"))
