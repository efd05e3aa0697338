"""GraphQL's mutations do what REST's writes do: the same services, rules and answers, mistakes by the input's names."""

import json
from typing import Any

import pytest

from accounts.graph import blocks
from accounts.models import User
from accounts.people import suspending
from tests.integration.querying import Door, camel
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post, seen, viewer
from tests.people import PASSWORD, ApiClient, new_person
from tweets.stores.port import tweet_store
from tweets.writing import liking, posting

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

RELATIONSHIP = "relationship { following requested followedBy blocking muting }"
ANSWERS = {
    "register": "user { username email } token",
    "createToken": "user { username email } token",
    "revokeToken": "ok",
    "revokeSession": "ok",
    "report": "ok",
    "updateProfile": "user { username displayName bio email }",
    "createTweet": "tweet { id text }",
    "deleteTweet": "deletedId",
    "follow": RELATIONSHIP,
    "unfollow": RELATIONSHIP,
    "block": RELATIONSHIP,
    "unblock": RELATIONSHIP,
    "mute": RELATIONSHIP,
    "unmute": RELATIONSHIP,
}
TWEET = "tweet { id counts { likes retweets } viewer { liked retweeted bookmarked } }"
UNKNOWN = "7265412345678901248"


def document(name: str) -> str:
    kind = name[0].upper() + name[1:]
    fields = f"{ANSWERS.get(name, TWEET)} errors {{ field message code }}"
    return f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ {fields} }} }}"


def do(door: Door, name: str, **fields: Any) -> Any:
    """The payload of what was done, without its errors, of which there were none."""
    payload = door.data(document(name), {"input": fields})[name]
    assert payload.pop("errors") == []
    return payload


def mistakes(door: Door, name: str, **fields: Any) -> set[tuple[str | None, str]]:
    """Field and code of what there is to mend; nothing was done."""
    payload = door.data(document(name), {"input": fields})[name]
    errors = payload.pop("errors")
    assert errors
    assert all(error["message"] for error in errors)
    assert set(payload.values()) <= {None, False}
    return {(error["field"], error["code"]) for error in errors}


@pytest.fixture
def person() -> User:
    return new_person("ada")


@pytest.fixture
def ada(person: User) -> Door:
    return Door(person)


class TestAccounts:
    def test_signing_up_in_and_out(self) -> None:
        given = {"username": "Ada", "email": "ada@example.org", "password": PASSWORD}
        registered = do(Door(), "register", **given)
        assert registered["user"] == {"username": "Ada", "email": "ada@example.org"}
        signed_in = do(Door(), "createToken", username=" ada@example.org ", password=PASSWORD)
        doors = [Door(token=each["token"]) for each in (registered, signed_in)]
        assert [each.data("{ me { username } }")["me"] for each in doors] == [{"username": "Ada"}] * 2
        assert do(doors[1], "revokeToken") == {"ok": True}
        assert [each.ask("{ me { id } }").status_code for each in doors] == [200, 401]
        third = Door(token=do(Door(), "createToken", username="ADA", password=PASSWORD)["token"])
        assert do(doors[0], "revokeToken", all=True) == {"ok": True}
        assert [each.ask("{ me { id } }").status_code for each in (doors[0], third)] == [401, 401]

    def test_all_that_is_wrong_with_who_signs_up(self, person: User) -> None:
        wrong = mistakes(Door(), "register", username="no name!", email="nowhere", password="1234")
        assert {field for field, _ in wrong} == {"username", "email", "password"}
        assert mistakes(Door(), "register", username="ADA", email="x@example.org", password=PASSWORD) == {
            ("username", "invalid")
        }
        blank = mistakes(Door(), "register", username="", email="a\0@example.org", password="")
        assert {("username", "blank"), ("password", "blank")} <= blank
        assert {field for field, _ in blank} == {"username", "email", "password"}

    @pytest.mark.parametrize("login", ["ada", "nobody_here", "a@example.org", "\0"])
    def test_a_wrong_password_tells_nothing_else(self, person: User, login: str) -> None:
        expected = {("username", "null_characters_not_allowed")} if login == "\0" else {(None, "bad_credentials")}
        assert mistakes(Door(), "createToken", username=login, password="wrong-horse-42") == expected

    def test_the_suspended_cannot_sign_in(self, person: User) -> None:
        suspending.suspend(person, by=new_person(staff=True))
        given = {"username": "ada", "password": PASSWORD}
        [error] = Door().errors(document("createToken"), {"input": given}, status=200)
        assert error["extensions"] == {"code": "suspended"}

    def test_changing_the_account(self, ada: Door) -> None:
        changed = do(ada, "updateProfile", displayName="Ada L.", bio="Notes.", email=None)["user"]
        assert changed == {"username": "ada", "displayName": "Ada L.", "bio": "Notes.", "email": "ada@example.org"}
        assert do(ada, "updateProfile", displayName="", bio="")["user"]["displayName"] == "ada"
        changed = do(ada, "updateProfile", email="new@example.org", currentPassword=PASSWORD)["user"]
        assert changed["email"] == "new@example.org"
        assert do(ada, "updateProfile")["user"]["email"] == "new@example.org"

    def test_what_is_wrong_with_a_change_has_the_input_s_names(self, ada: Door) -> None:
        assert mistakes(ada, "updateProfile", displayName="\u200b", password="short") == {
            ("displayName", "invalid"),
            ("password", "invalid"),
            ("currentPassword", "invalid"),
        }

    def test_a_new_password_ends_the_other_tokens(self, ada: Door, person: User) -> None:
        other = Door(person)
        do(ada, "updateProfile", password="another-horse-42", currentPassword=PASSWORD)
        assert [each.ask("{ me { id } }").status_code for each in (ada, other)] == [200, 401]


class TestRelations:
    @pytest.mark.parametrize(
        ("name", "after"),
        [
            ("follow", {"following"}),
            ("unfollow", set[str]()),
            ("block", {"blocking"}),
            ("unblock", set[str]()),
            ("mute", {"muting"}),
            ("unmute", set[str]()),
        ],
    )
    def test_how_one_stands_after_it(self, ada: Door, name: str, after: set[str]) -> None:
        new_person("ben")
        if name.startswith("un"):
            do(ada, name.removeprefix("un"), username="ben")
        for _ in range(2):
            assert {each for each, so in do(ada, name, username="BEN")["relationship"].items() if so} == after
        rest = ada.client.get("/api/v1/users/ben").json()["data"]["relationship"]
        assert camel(rest) == do(ada, name, username="ben")["relationship"]

    @pytest.mark.parametrize("name", ["follow", "block", "mute"])
    def test_what_cannot_be(self, ada: Door, name: str) -> None:
        [(field, code)] = mistakes(ada, name, username="ada")
        assert (field, code.endswith("oneself")) == ("username", True)
        assert mistakes(ada, name, username="nobody_here") == {("username", "not_found")}

    def test_following_who_blocks_one_is_no_mistake_to_mend(self, ada: Door, person: User) -> None:
        ben = new_person("ben")
        blocks.block(ben.id, person.id)
        [error] = ada.errors(document("follow"), {"input": {"username": "ben"}}, status=200)
        assert error["extensions"] == {"code": "blocked"}


class TestMarks:
    @pytest.mark.parametrize(
        ("name", "flag", "count"),
        [("like", "liked", "likes"), ("retweet", "retweeted", "retweets"), ("bookmark", "bookmarked", None)],
    )
    def test_making_one_and_taking_it_back(self, ada: Door, name: str, flag: str, count: str | None) -> None:
        tweet = post(new_person())
        for _ in range(2):
            made = do(ada, name, tweetId=str(tweet))["tweet"]
            assert {each for each, so in made["viewer"].items() if so} == {flag}
            assert count is None or made["counts"][count] == 1
        for _ in range(2):
            undone = do(ada, f"un{name}", tweetId=str(tweet))["tweet"]
            assert not any(undone["viewer"].values())
            assert not any(undone["counts"].values())

    @pytest.mark.parametrize("name", ["like", "retweet", "bookmark", "deleteTweet"])
    def test_what_is_not_there(self, ada: Door, name: str) -> None:
        gone, author = post(new_person()), new_person()
        posting.delete_tweet(tweet_id=gone, viewer=viewer(new_person(staff=True)))
        hidden = post(author)
        blocks.block(author.id, User.objects.get(username="ada").id)
        for tweet_id in (UNKNOWN, str(gone), str(hidden)):
            assert mistakes(ada, name, tweetId=tweet_id) == {("tweetId", "not_found")}
        assert mistakes(ada, name, tweetId="abc") == {("tweetId", "malformed_id")}

    @pytest.mark.parametrize("name", ["unlike", "unretweet", "unbookmark"])
    def test_taking_back_works_whatever_became_of_the_tweet(self, ada: Door, person: User, name: str) -> None:
        author = new_person()
        tweet = post(author)
        do(ada, name.removeprefix("un"), tweetId=str(tweet))
        blocks.block(author.id, person.id)
        assert do(ada, name, tweetId=str(tweet)) == {"tweet": None}
        assert do(ada, name, tweetId=UNKNOWN) == {"tweet": None}
        blocks.unblock(author.id, person.id)
        assert seen(tweet).counts.likes == seen(tweet).counts.retweets == 0


class TestDeleting:
    def test_one_s_own(self, ada: Door, person: User) -> None:
        tweet = post(person)
        assert do(ada, "deleteTweet", tweetId=str(tweet)) == {"deletedId": str(tweet)}
        assert ada.data(f'{{ tweet(id: "{tweet}") {{ id }} }}') == {"tweet": None}

    def test_somebody_else_s(self, ada: Door) -> None:
        tweet = post(new_person())
        [error] = ada.errors(document("deleteTweet"), {"input": {"tweetId": str(tweet)}}, status=200)
        assert error["extensions"] == {"code": "forbidden"}
        staff = Door(new_person(staff=True))
        assert do(staff, "deleteTweet", tweetId=str(tweet)) == {"deletedId": str(tweet)}


class TestReports:
    def test_a_tweet_and_a_person(self, ada: Door) -> None:
        author = new_person("ben")
        tweet = str(post(author))
        assert do(ada, "report", tweetId=tweet, reason="spam") == {"ok": True}
        assert do(ada, "report", username="ben", reason="spam", comment="again and again") == {"ok": True}

    @pytest.mark.parametrize(
        ("given", "mistake"),
        [
            ({"reason": "spam"}, (None, "invalid")),
            ({"reason": "spam", "tweetId": UNKNOWN, "username": "ben"}, (None, "invalid")),
            ({"reason": "spam", "tweetId": UNKNOWN}, ("tweetId", "gone")),
            ({"reason": "spam", "tweetId": "abc"}, ("tweetId", "malformed_id")),
            ({"reason": "spam", "username": "nobody_here"}, ("username", "gone")),
            ({"reason": "spam", "username": "ada"}, ("username", "reporting_oneself")),
            ({"reason": "no reason", "username": "ben"}, ("reason", "invalid_choice")),
            ({"reason": "spam", "username": "ben", "comment": "x" * 2_000}, ("comment", "max_length")),
        ],
        ids=str,
    )
    def test_mistakes(self, ada: Door, given: Any, mistake: tuple[str | None, str]) -> None:
        new_person("ben")
        assert mistakes(ada, "report", **given) == {mistake}


SIGNED_IN = [name for name in (*ANSWERS, "like", "unlike", "retweet", "unretweet", "bookmark", "unbookmark")
             if name not in ("register", "createToken")]  # fmt: skip


@pytest.mark.parametrize("name", SIGNED_IN)
def test_it_needs_a_token(name: str) -> None:
    tweet = post(new_person("ben"))
    given = {
        "createTweet": {"text": "x"},
        "report": {"reason": "spam", "username": "ben"},
        "revokeToken": {},
        "revokeSession": {"id": UNKNOWN},
        "updateProfile": {"bio": "x"},
    }.get(name, {"tweetId": str(tweet)} if name not in ANSWERS or name == "deleteTweet" else {"username": "ben"})
    [error] = Door().errors(document(name), {"input": given}, status=200)
    assert error["extensions"] == {"code": "not_authenticated"}


def test_every_write_of_a_document_happens_in_its_order(ada: Door, person: User) -> None:
    tweet = str(post(new_person()))
    marks = "tweet { counts { likes } viewer { liked } }"
    query = f"mutation($i: LikeInput!, $u: UnlikeInput!) {{ a: like(input: $i) {{ {marks} }} "
    shown = ada.data(f"{query} b: unlike(input: $u) {{ {marks} }} c: like(input: $i) {{ {marks} }} }}",
                     {"i": {"tweetId": tweet}, "u": {"tweetId": tweet}})  # fmt: skip
    assert [shown[each]["tweet"]["viewer"]["liked"] for each in "abc"] == [True, False, True]
    assert [shown[each]["tweet"]["counts"]["likes"] for each in "abc"] == [1, 0, 1]


class TestIdempotency:
    def ask(self, person: User, query: str, variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables})
        return ApiClient(person).post("/graphql", body, "application/json", headers={"Idempotency-Key": "k-1"})

    @pytest.mark.parametrize("name", ["like", "retweet"])
    def test_a_repeated_mark_gets_the_first_answer(self, person: User, name: str) -> None:
        tweet = post(new_person())
        first, again = (self.ask(person, document(name), {"input": {"tweetId": str(tweet)}}) for _ in range(2))
        assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
        liking.unlike(viewer=viewer(person), tweet_id=tweet)

    @pytest.mark.parametrize("name", ["register", "createToken"])
    def test_an_answer_that_holds_a_token_is_not_kept(self, person: User, name: str) -> None:
        given = {"username": "new_one", "password": PASSWORD} | (
            {"email": "n@example.org"} if name == "register" else {}
        )
        answer = self.ask(person, document(name), {"input": given})
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_not_kept")
        assert not User.objects.filter(username="new_one").exists()
        hidden = (
            'mutation { ...F } fragment F on Mutation { createTweet(input: {text: "x"}) { errors { code } } ...G } '
        )
        inner = 'createToken(input: {username: "a", password: "b"}) { errors { code } }'
        hidden += f"fragment G on Mutation {{ ... {{ {inner} }} }}"
        assert self.ask(person, hidden, None).status_code == 400
        assert tweet_store().by_author(person.id, replies=True, limit=9) == []
