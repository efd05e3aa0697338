"""Documents that clients register by their hash, as Apollo's do, and answers to GET, which caches may keep."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from config.graphql import registered
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from tests.backends import timeline_redis_down
from tests.integration.querying import Door
from tests.integration.speaking import on_one_store
from tests.people import PASSWORD, new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

ME = "query Me { me { username } }"
USER = "query User($name: String!) { user(username: $name) { username bio } }"
BIO = "mutation Bio($bio: String!) { updateProfile(input: {bio: $bio}) { user { bio } } }"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def named(text: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": name or sha(text)}}, **more}


def by_get(door: Door, headers: dict[str, str] | None = None, **given: Any) -> Any:
    parameters = {name: it if isinstance(it, str) else json.dumps(it) for name, it in given.items()}
    return door.client.get("/graphql", parameters, headers=headers)


def code_of(answer: Any) -> str:
    [error] = answer.json()["errors"]
    return str(error["extensions"]["code"])


def forget() -> None:
    """As another process, which has seen no document."""
    registered._memory.clear()


@pytest.fixture(autouse=True)
def forgotten() -> None:
    forget()


@pytest.fixture
def ada() -> Door:
    return Door(new_person("ada"))


@pytest.fixture
def limited(settings: Settings) -> Iterator[None]:
    settings.RATE_LIMITS = True
    yield
    rate_limits._memory.storage.reset()


def is_known(text: str) -> bool:
    forget()
    answer = Door().post(named(text))
    return "data" in answer.json() or answer.status_code != 200


class TestRegistering:
    def test_the_hash_alone_then_with_its_text_then_alone_again(self, ada: Door) -> None:
        unknown = ada.post(named(ME))
        assert (unknown.status_code, code_of(unknown)) == (200, "PERSISTED_QUERY_NOT_FOUND")
        assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
        me = {"data": {"me": {"username": "ada"}}}
        assert ada.post(named(ME, query=ME)).json() == me
        assert ada.post(named(ME)).json() == me
        forget()
        assert ada.post(named(ME, sha(ME).upper())).json() == me, "in other processes as well"

    def test_a_process_remembers_what_it_has_seen(self, ada: Door) -> None:
        ada.post(named(ME, query=ME))
        ada.post(named(ME))
        timeline_node().round_trip(*[("DEL", key) for key in registered._keys(sha(ME))])
        assert "data" in ada.post(named(ME)).json()
        assert not is_known(ME)

    def test_and_by_get_in_any_order(self, ada: Door) -> None:
        assert code_of(by_get(ada, **named(ME))) == "PERSISTED_QUERY_NOT_FOUND"
        assert by_get(ada, **named(ME, query=ME)).json() == {"data": {"me": {"username": "ada"}}}
        assert ada.post(named(ME)).json() == by_get(ada, **named(ME)).json()

    def test_nothing_is_kept_under_another_hash(self, ada: Door) -> None:
        for answer in (ada.post(named(ME, sha("x"), query=ME)), by_get(ada, **named(ME, sha("x"), query=ME))):
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
        assert not is_known(ME)

    def test_what_stands_in_redis_and_is_not_the_hash_s_text_is_none(self, ada: Door) -> None:
        ada.post(named(ME, query=ME))
        timeline_node().round_trip(*[("SET", key, BIO) for key in registered._keys(sha(ME))])
        assert not is_known(ME)

    @pytest.mark.parametrize("bad", ["{ nonsense", "{ nowhere }", "{ me { id } } " * 2, "query A { me { id } }"])
    def test_what_is_not_executed_is_not_kept(self, ada: Door, bad: str) -> None:
        assert ada.post(named(bad, query=bad, operationName="B")).status_code == 400
        assert not is_known(bad)

    def test_a_hash_that_can_be_none_is_not_looked_for(self, ada: Door) -> None:
        for name in ("", "x" * 64, "0" * 63, "٣" * 64):
            assert code_of(ada.post(named(ME, name or "-"))) == "PERSISTED_QUERY_NOT_FOUND"

    def test_switched_off_clients_are_told_so(self, ada: Door, settings: Settings) -> None:
        ada.post(named(ME, query=ME))
        settings.GRAPHQL_REGISTERING = False
        assert code_of(ada.post(named(ME))) == "PERSISTED_QUERY_NOT_SUPPORTED"
        assert code_of(by_get(ada, **named(ME))) == "PERSISTED_QUERY_NOT_SUPPORTED"

    def test_where_listed_ones_are_the_only_ones_none_is_found_or_kept(self, ada: Door, settings: Settings) -> None:
        ada.post(named(ME, query=ME))
        settings.GRAPHQL_DOCUMENTS_ONLY = True
        assert code_of(ada.post(named(ME))) == "PERSISTED_QUERY_NOT_SUPPORTED"
        assert code_of(ada.post(named(ME, query=ME))) == "not_listed"
        assert code_of(by_get(ada, query=ME)) == "not_listed"

    def test_without_redis_the_text_works_and_is_asked_for(self, ada: Door) -> None:
        with timeline_redis_down():
            assert code_of(ada.post(named(ME))) == "PERSISTED_QUERY_NOT_FOUND"
            assert ada.post(named(ME, query=ME)).json() == {"data": {"me": {"username": "ada"}}}
        assert not is_known(ME)


class TestBounds:
    def test_it_ends_after_a_day(self, ada: Door) -> None:
        ada.post(named(ME, query=ME))
        [seconds] = timeline_node().round_trip(("TTL", registered._keys(sha(ME))[0]))
        assert 86_300 < seconds <= 86_400

    def test_what_stands_in_a_place_is_not_driven_out(self, ada: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registered, "PLACES", 1)
        ada.post(named(ME, query=ME))
        assert ada.post(named(USER, query=USER, variables={"name": "ada"})).json()["data"]["user"]
        assert is_known(ME)
        assert not is_known(USER)

    def test_one_that_meets_another_goes_elsewhere(self, ada: Door) -> None:
        first, *_ = registered._keys(sha(ME))
        timeline_node().round_trip(("SET", first, USER))
        ada.post(named(ME, query=ME))
        assert is_known(ME)

    def test_one_that_is_long_is_executed_and_not_kept(self, ada: Door) -> None:
        long = ME + " " * registered.MAX_BYTES
        assert "data" in ada.post(named(long, query=long)).json()
        assert not is_known(long)

    def test_an_address_brings_so_many_and_what_is_known_does_not_count(
        self, ada: Door, limited: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registered, "NEW_DOCUMENTS", rate_limits.Policy("document", 2, 3_600))
        texts = [f"query Me{number} {{ me {{ username }} }}" for number in range(3)]
        for text in [texts[0], *texts]:
            assert "data" in ada.post(named(text, query=text)).json()
        assert [is_known(text) for text in texts] == [True, True, False]
        ada.client.post("/graphql", json.dumps(named(texts[2], query=texts[2])), "application/json", REMOTE_ADDR="::2")
        assert is_known(texts[2]), "another address has its own"


class TestTexts:
    SIGN_IN = 'mutation { createToken(input: {username: "ada", password: "PASSWORD"}) { token } }'

    def test_a_password_that_is_written_into_a_document_is_not_kept(self, ada: Door) -> None:
        written = self.SIGN_IN.replace("PASSWORD", PASSWORD)
        assert Door().post(named(written, query=written)).json()["data"]["createToken"]["token"]
        forget()
        assert code_of(Door().post(named(written))) == "PERSISTED_QUERY_NOT_FOUND"
        both = f"query Q {{ me {{ id }} }} {written.replace('mutation', 'mutation M')}"
        Door().post(named(both, query=both, operationName="Q"))
        assert code_of(Door().post(named(both, operationName="M"))) == "PERSISTED_QUERY_NOT_FOUND"
        assert timeline_node().round_trip(("KEYS", "document:*")) == [[]]

    def test_one_that_takes_it_as_a_variable_is_and_so_is_a_query_with_texts(self, ada: Door) -> None:
        taking = "mutation($p: String!) { createToken(input: {username: $p, password: $p}) { errors { code } } }"
        query = '{ user(username: "ada") { bio } }'
        for text in (taking, query):
            Door().post(named(text, query=text, variables={"p": "x"}))
            forget()
            assert "errors" not in Door().post(named(text, variables={"p": "x"})).json()


class TestGet:
    @pytest.mark.parametrize(
        ("variables", "says"),
        [('{"name": "ada", "name": "bob"}', "twice"), ('{"name": 1e999}', "$name"), ('{}, "query": "{ me }"', "JSON")],
    )
    def test_variables_are_read_as_those_of_a_body(self, variables: str, says: str) -> None:
        answer = by_get(Door(), query=USER, variables=variables)
        assert answer.status_code == 400
        assert says in answer.json()["detail"]

    def test_too_many_parameters_are_the_client_s_mistake_and_counted(
        self, limited: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = Door().client.get("/graphql?" + "&".join(f"a{n}=1" for n in range(1_100)))
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
        assert "RateLimit" in answer
        assert not [each for each in caplog.records if each.exc_info]

    def test_a_query_in_the_address(self, ada: Door) -> None:
        given: dict[str, Any] = {"query": f"{ME} {USER}", "operationName": "User", "variables": {"name": "ada"}}
        assert by_get(ada, **given).json() == {"data": {"user": {"username": "ada", "bio": ""}}}
        assert by_get(ada, query=ME, variables="", operationName="", extensions="").json()["data"]

    @pytest.mark.parametrize("by_hash", [True, False])
    def test_a_mutation_is_refused(self, ada: Door, by_hash: bool) -> None:
        assert ada.post(named(BIO, query=BIO, variables={"bio": "by body"})).json()["data"]
        given: dict[str, Any] = (named(BIO) if by_hash else {"query": BIO}) | {"variables": {"bio": "by address"}}
        answer = by_get(ada, **given)
        assert (answer.status_code, answer["Allow"], code_of(answer)) == (405, "POST", "not_by_get")
        assert "by POST" in answer.json()["errors"][0]["message"]
        assert answer["Cache-Control"] == "no-store"
        assert ada.data("{ me { bio } }") == {"me": {"bio": "by body"}}

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({}, "bad_query"),
            ({"query": ""}, "bad_query"),
            ({"query": ME, "variables": "{"}, "bad_variables"),
            ({"query": ME, "variables": "[1]"}, "bad_variables"),
            ({"query": ME, "variables": "[" * 5_000}, "bad_variables"),
            ({"query": ME, "extensions": "x"}, "bad_query"),
            ({"extensions": '{"persistedQuery": {"version": 2, "sha256Hash": "0"}}'}, "bad_query"),
        ],
        ids=str,
    )
    def test_an_address_that_cannot_be_read(self, given: Any, code: str) -> None:
        answer = by_get(Door(), **given)
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    def test_what_nobody_in_particular_asked_may_be_kept_by_caches(self, ada: Door) -> None:
        answer = by_get(Door(), query=USER, variables={"name": "ada"})
        assert answer["Cache-Control"] == "public, max-age=5"
        assert {"authorization", "accept-encoding", "origin"} <= {it.lower() for it in answer["Vary"].split(", ")}
        again = by_get(Door(), {"If-None-Match": answer["ETag"]}, query=USER, variables={"name": "ada"})
        assert (again.status_code, again.content) == (304, b"")
        assert again["Cache-Control"] == "public, max-age=5"

    def test_what_somebody_asked_is_theirs(self, ada: Door) -> None:
        answer = by_get(ada, query=ME)
        assert answer["Cache-Control"] == "private, no-cache"
        assert by_get(ada, {"If-None-Match": answer["ETag"]}, query=ME).status_code == 304
        assert by_get(Door(new_person()), {"If-None-Match": answer["ETag"]}, query=ME).status_code == 200

    @pytest.mark.parametrize(
        "given", [{"query": "{ homeTimeline { edges { cursor } } }"}, {"query": "{ nonsense"}, named(ME)], ids=str
    )
    def test_an_error_is_not_kept(self, given: Any) -> None:
        answer = by_get(Door(), **given)
        assert answer.json()["errors"]
        assert answer["Cache-Control"] == "no-store"

    def test_a_bad_token_is_not_taken_for_nobody(self) -> None:
        assert by_get(Door(token="none"), query=ME).status_code == 401

    def test_it_counts_as_a_post_does(self, ada: Door, limited: None) -> None:
        large = "{ " + " ".join(f"p{n}: publicTimeline(first: 100) {{ edges {{ cursor }} }}" for n in range(4)) + " }"
        by_get(ada, query=large)  # a text that is known
        left = [int(it["RateLimit"].split("r=")[1].split(";")[0]) for it in
                (by_get(ada, query=ME), by_get(ada, query=large), ada.post({"query": large}))]  # fmt: skip
        assert left[0] - left[1] == left[1] - left[2] > 1

    def test_bounds_are_those_of_a_post(self) -> None:
        deep = """{ user(username: "ada") { tweets(first: 100) { edges { node {
            replies(first: 100) { edges { node { id } } } } } } } }"""
        assert code_of(by_get(Door(), query=deep)) == code_of(Door().post({"query": deep})) == "too_complex"


class TestPage:
    BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

    def test_a_browser_is_shown_one_that_holds_nothing_of_who_asks(self, ada: Door) -> None:
        shown = Door().client.get("/graphql", headers=self.BROWSER)
        assert (shown.status_code, shown["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "Accept" in shown["Vary"]
        assert ada.client.get("/graphql", headers=self.BROWSER).content == shown.content

    def test_one_that_asks_for_a_document_is_answered_it(self, ada: Door) -> None:
        for given in ({"query": ME}, named(ME)):
            assert by_get(ada, self.BROWSER, **given)["Content-Type"] == "application/json"

    @pytest.mark.parametrize(("production", "chosen"), [(True, None), (False, False)])
    def test_where_it_is_switched_off_there_is_none(
        self, settings: Settings, production: bool, chosen: bool | None
    ) -> None:
        settings.PRODUCTION, settings.GRAPHIQL = production, chosen
        answer = Door().client.get("/graphql", headers=self.BROWSER)
        assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
        settings.GRAPHIQL = True
        assert Door().client.get("/graphql", headers=self.BROWSER).status_code == 200

    def test_others_are_told_to_send_a_document(self) -> None:
        for accepted in ("*/*", "application/json", ""):
            assert Door().client.get("/graphql", headers={"Accept": accepted}).status_code == 400
