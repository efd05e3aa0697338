"""How much one may ask of the GraphQL door: REST's quota, by what a document costs, and REST's limits of signing in."""

from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.sessions import authentication
from config.graphql import documents
from config.graphql.bounds import ORDINARY_PAGE
from storage.redis import rate_limits
from storage.redis.node import timeline_node
from storage.redis.rate_limits import Policy, hit_all, hit_in_memory
from tests.backends import counted_round_trips, timeline_redis_down
from tests.ids import new_id
from tests.integration.querying import WHOLE_TWEET, Door
from tests.integration.speaking import on_one_store
from tests.people import PASSWORD, new_person

pytestmark = [pytest.mark.usefixtures("product", "limits_on"), on_one_store]

QUOTA = 20
PAGE = f"homeTimeline(first: 20) {{ edges {{ node {{ {WHOLE_TWEET} }} }} }}"


@pytest.fixture
def limits_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.RATE_LIMITS = True
    monkeypatch.setattr(authentication, "SIGNED_IN", Policy("default", QUOTA, 60))
    monkeypatch.setattr(authentication, "BY_ADDRESS", Policy("default", QUOTA, 60))
    yield
    rate_limits._memory.storage.reset()


@pytest.fixture(autouse=True)
def texts_are_free(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs to read a text that is not known is a matter of its own."""
    if request.function is not test_a_text_that_is_not_known_counts_by_its_tokens:
        monkeypatch.setattr(documents, "TOKENS_A_REQUEST", 10_000)


def left(answer: Any) -> int:
    return int(answer["RateLimit"].split("r=")[1].split(";")[0])


def writes(count: int) -> str:
    each = " ".join(f'a{n}: createTweet(input: {{text: "{n}"}}) {{ errors {{ code }} }}' for n in range(count))
    return f"mutation {{ {each} }}"


def test_a_text_that_is_not_known_counts_by_its_tokens() -> None:
    door = Door(new_person())
    known = "{ me { " + " ".join(f"a{n}: id" for n in range(40)) + " } }"
    assert [left(door.ask(known)) for _ in range(2)] == [QUOTA - 1 - 2, QUOTA - 1 - 2 - 1]
    refused = known.replace("a39: id", "nonsense")
    assert [left(door.ask(refused)) for _ in range(2)] == [QUOTA - 4 - 3, QUOTA - 4 - 6]
    long = refused.replace("id", "id " * 4)
    assert left(door.ask(long)) == QUOTA - 10 - 1 - 4
    with patch.object(documents, "parse", side_effect=AssertionError):
        assert door.ask(long.replace("nonsense", "other" + " id" * 100)).status_code == 429


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ __typename }", 1),
        (f"{{ {PAGE} }}", 1),
        (f"{{ {PAGE.replace('20', '100')} }}", 4),
        (f"{{ {PAGE.replace('20', '50')} }}", 2),
        ("{ " + " ".join(f"a{n}: publicTimeline(first: 1) {{ edges {{ cursor }} }}" for n in range(9)) + " }", 4),
        (writes(1), 1),
        (writes(2), 2),
        (writes(9), 9),
        ("{ nonsense }", 1),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_document_counts_as_many_requests_as_it_costs(query: str, cost: int) -> None:
    for door in (Door(new_person()), Door()):
        answer = door.ask(query)
        assert left(answer) == QUOTA - cost
        assert left(door.client.get("/api/v1/feed/public")) == QUOTA - cost - 1, "one quota for all doors"
        door.client.get("/api/v1/feed/public")


@pytest.mark.parametrize(
    ("variables", "cost"),
    [({}, 1), ({"n": None}, 1), ({"n": 1}, 1), ({"n": 20}, 1), ({"n": 50}, 2), ({"n": 100}, 4), ({"n": 999}, 4)],
)
def test_a_variable_counts_for_what_it_asks_for(variables: Any, cost: int) -> None:
    door = Door(new_person())
    query = f"query($n: Int) {{ {PAGE.replace('first: 20', 'first: $n')} }}"
    for times in (1, 2):
        assert left(door.ask(query, variables)) == QUOTA - times * cost
    other = f"query($n: Int = 50) {{ {PAGE.replace('first: 20', 'first: $n')} }}"
    assert left(Door(new_person()).ask(other, {})) == QUOTA - 2


def test_a_list_in_a_variable_counts_for_as_many_as_it_holds() -> None:
    query = f"query($ids: [ID!]!) {{ tweets(ids: $ids) {{ {WHOLE_TWEET} }} }}"
    for count, cost in ((1, 1), (20, 1), (100, 4)):
        assert left(Door().ask(query, {"ids": ["1"] * count})) == QUOTA - cost
        timeline_node().round_trip(("FLUSHALL",))


def test_what_is_too_much_with_these_variables_alone_is_refused_with_them_alone() -> None:
    """Two pages of 100 whole tweets are, and two of 20 are not."""
    door = Door(new_person())
    pages = f"a: {PAGE} {PAGE.replace('homeTimeline', 'publicTimeline')}".replace("first: 20", "first: $n")
    query = f"query($n: Int) {{ {pages} }}"
    assert door.ask(query, {"n": 20}).status_code == 200
    [error] = door.errors(query, {"n": 100}, status=400)
    assert error["extensions"] == {"code": "too_complex"}
    assert door.ask(query, {"n": 20}).status_code == 200


def test_the_ordinary_page_is_a_page_of_twenty_whole_tweets() -> None:
    person = Door(new_person())
    assert left(person.ask(f"{{ {PAGE} me {{ id }} }}")) == QUOTA - 1
    assert 2_000 < ORDINARY_PAGE < 3_000


def test_what_costs_more_than_is_left_is_not_executed() -> None:
    person = new_person()
    door = Door(person)
    assert [door.ask(writes(9)).status_code for _ in range(3)] == [200, 200, 429]
    answer = door.ask("{ __typename }")
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert int(answer["Retry-After"]) > 0
    assert left(answer) == 0
    assert Door(new_person()).ask("{ __typename }").status_code == 200


def test_an_ordinary_document_costs_no_round_trip_more() -> None:
    door = Door(new_person())
    door.ask("{ me { id } }")
    with counted_round_trips() as trips:
        door.ask("{ me { id } }")
    assert len(trips) == 1
    with counted_round_trips() as trips:
        door.ask(f"{{ me {{ id }} {PAGE.replace('(first: 20)', '(first: 100) @skip(if: true)')} }}")
    assert len(trips) == 2


@pytest.mark.parametrize("amount", [1, 4, 9])
def test_several_are_counted_at_once_and_the_window_ends(amount: int) -> None:
    policy = Policy("several", 10, 60)
    for count in (hit_all, lambda *asked, amount: [hit_in_memory(*asked[0], amount=amount)]):
        key = f"rate:{new_id()}"
        counts = [count((policy, key), amount=amount)[0] for _ in range(3)]
        assert [hit.exceeded for hit in counts] == [amount * times > 10 for times in (1, 2, 3)]
        assert counts[0].remaining == 10 - amount
        assert 0 < counts[-1].resets_seconds <= 60


def test_without_redis_it_is_counted_in_memory() -> None:
    door = Door()
    with timeline_redis_down():
        statuses = [
            door.ask(f"{{ {PAGE.replace('home', 'public').replace('20', '100')} }}").status_code for _ in range(6)
        ]
    assert statuses == [200] * 5 + [429]


class TestSigning:
    SIGN_IN = "mutation($u: String!, $p: String!) { createToken(input: {username: $u, password: $p}) { token } }"

    def tries(self, times: int, path: str = "") -> list[str | None]:
        """The code of each try to sign in as ada, None for one that was looked at."""
        found = []
        for _ in range(times):
            if path:
                answer = Door().client.post(
                    path, {"username": "ADA ", "password": "no"}, content_type="application/json"
                )
                found.append(answer.json()["code"].replace("bad_credentials", "") or None)
                continue
            body = Door().ask(self.SIGN_IN, {"u": "ada", "p": "wrong-horse-42"}).json()
            found.append(body["errors"][0]["extensions"]["code"] if "errors" in body else None)
        return found

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("SIGN_INS_BY_ADDRESS", "SIGN_INS_BY_PAIR", "SIGN_UPS"):
            policy = Policy(name.lower(), 3 if name != "SIGN_INS_BY_ADDRESS" else 9, 60)
            monkeypatch.setattr(f"accounts.sessions.throttles.{name}", policy)

    def test_guesses_at_one_account_are_counted_at_both_doors_together(self) -> None:
        new_person("ada")
        assert self.tries(2) == [None, None]
        assert self.tries(1, "/api/v1/auth/token") == [None]
        assert self.tries(2) == ["throttled", "throttled"]

    def test_many_guesses_in_one_document_are_as_many(self) -> None:
        new_person("ada")
        guess = 'createToken(input: {username: "ada", password: "wrong-horse-42"}) { errors { code } }'
        answer = Door().ask("mutation { " + " ".join(f"a{n}: {guess}" for n in range(5)) + " }")
        codes = [error["extensions"] for error in answer.json()["errors"]]
        assert [each["code"] for each in codes] == ["throttled"] * 2
        assert 0 < codes[0]["retryAfter"] <= 60
        tried = answer.json()["data"]
        assert [tried[f"a{n}"] and tried[f"a{n}"]["errors"][0]["code"] for n in range(5)] == [
            *["bad_credentials"] * 3,
            None,
            None,
        ]

    def test_a_refusal_that_passes_is_not_kept_under_a_key(self) -> None:
        door = Door(new_person())
        change = f'email: "new@example.org", currentPassword: "{PASSWORD}"'
        query = f"mutation {{ updateProfile(input: {{{change}}}) {{ user {{ email }} errors {{ code }} }} }}"

        def post() -> Any:
            key = {"Idempotency-Key": "k-1"}
            return door.client.post("/graphql", {"query": query}, content_type="application/json", headers=key)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("accounts.sessions.throttles.EMAILS_BY_PERSON", Policy("email-change", 0, 60))
            refused = post().json()
            assert refused["errors"][0]["extensions"]["code"] == "throttled"
        rate_limits._memory.storage.reset()
        again = post().json()
        assert again["data"]["updateProfile"]["user"]["email"] == "new@example.org"

    def test_signing_up(self) -> None:
        def codes(number: int) -> list[str]:
            given = f'username: "new_{number}", email: "n{number}@example.org", password: "{PASSWORD}"'
            body = Door().ask(f"mutation {{ register(input: {{{given}}}) {{ token }} }}").json()
            return [error["extensions"]["code"] for error in body.get("errors", [])]

        assert [codes(number) for number in range(4)] == [[], [], [], ["throttled"]]


class TestAnswers:
    """Counted before, by what may be asked of a tweet; bounded while it is made, by what people have written."""

    FULL = " ".join(f"#t{n}" for n in range(50))

    def test_one_that_grows_past_what_was_counted_is_refused(self) -> None:
        door = Door(new_person())
        made = door.data(f'mutation {{ createTweet(input: {{text: "{self.FULL}"}}) {{ tweet {{ id }} }} }}')
        ids = [made["createTweet"]["tweet"]["id"]] * 100
        fields = " ".join(f"a{n}: tag" for n in range(3))
        query = f"query($ids: [ID!]!) {{ tweets(ids: $ids) {{ entities {{ hashtags {{ {fields} }} }} }} }}"
        body = door.ask(query, {"ids": ids})
        assert (body.status_code, body.json()["errors"][0]["extensions"]["code"]) == (400, "too_complex")
        assert door.ask(query, {"ids": ids[:20]}).status_code == 200

    def test_an_alias_of_typename_is_counted(self) -> None:
        """Without one it comes once for each object, and clients send it everywhere."""
        door = Door(new_person())
        inner = " ".join(f"a{n}: __typename" for n in range(50))
        answer = door.ask(f"{{ publicTimeline(first: 100) {{ edges {{ node {{ {inner} }} }} }} }}")
        assert left(answer) == QUOTA - 3
        answer = door.ask("{ publicTimeline(first: 100) { edges { node { __typename id } } } }")
        assert left(answer) == QUOTA - 4
