"""Taking one's data along: all of it and nothing of others that one may not see, from any line on."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import blocks, follows
from accounts.models import User
from accounts.people import services, suspending
from feed.doors import rest_export
from feed.leaving import export as exporting
from storage.errors import Unavailable
from storage.redis import rate_limits
from storage.stores import associations
from tests.integration.feed.lives import a_life
from tests.integration.feed.reading import operator
from tests.integration.speaking import Api, on_one_store
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tweets.stores.port import tweet_store
from tweets.writing.liking import bookmark, like
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")

Lines = list[dict[str, Any]]


@pytest.fixture
def limits_on(settings: Settings) -> Iterator[None]:
    settings.RATE_LIMITS = True
    yield
    rate_limits._memory.storage.reset()


def answer(api: Api, **query: str) -> Lines:
    got = api.get("/me/export", **query)
    assert (got.status_code, got["Content-Type"]) == (200, rest_export.NDJSON)
    assert got["Cache-Control"] == "no-store"
    return [json.loads(line) for line in got.content.splitlines()]


def exported(by: User | Api, *, after: str | None = None) -> Lines:
    """All lines from a cursor on, however many answers that takes."""
    found: Lines = []
    api = by if isinstance(by, Api) else Api(by)
    while True:
        *lines, last = answer(api, **({} if after is None else {"after": after}))
        found += lines
        if last == {"type": "end"}:
            return found
        assert last["type"] == "more"
        after = last["cursor"]


def of_type(lines: Lines, name: str) -> Lines:
    return [line["data"] for line in lines if line["type"] == name]


def test_it_has_all_that_is_one_s_own() -> None:
    life = a_life()
    lines = exported(life.person)
    assert Counter(line["type"] for line in lines) == {
        "account": 1,
        "session": 2,
        "tweet": 4,
        "like": 1,
        "bookmark": 1,
        "following": 2,
        "follower": 2,
        "follow_request": 1,
        "follow_request_received": 1,
        "block": 1,
        "mute": 1,
        "muted_word": 1,
        "report": 1,
    }
    [account] = of_type(lines, "account")
    assert (account["email"], account["bio"]) == (life.person.email, "Notes on the Engine.")
    tweets = of_type(lines, "tweet")
    assert {int(each["id"]) for each in tweets} >= {*life.tweets}
    assert [each["text"] for each in tweets if each["reply_to_id"]] == ["an answer"]
    assert {str(life.friends_tweet)} == {each["tweet_id"] for each in of_type(lines, "like")}
    assert of_type(lines, "like")[0]["tweet"]["text"] == f"hello @{life.person.username}"
    assert of_type(lines, "report")[0]["comment"] == "Buy now!"
    assert life.friend.username in {each["username"] for each in of_type(lines, "following")}


@pytest.mark.parametrize("page", [1, 2, 100])
def test_from_any_line_on_it_goes_on_with_the_next(monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(exporting, "PAGE", page)
    api = Api(a_life(more_tweets=5).person)
    lines = exported(api)
    for number, line in enumerate(lines):
        rest = exported(api, after=line["cursor"])
        assert [each["cursor"] for each in rest] == [each["cursor"] for each in lines[number + 1 :]]


def test_an_answer_is_bounded_in_lines_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    person = new_person()
    tweets = [post(person, str(number)) for number in range(25)]
    monkeypatch.setattr(exporting, "PAGE", 4)
    monkeypatch.setattr(exporting, "LINES", 10)
    answers: list[int] = []
    after: dict[str, str] = {}
    found: Lines = []
    api = Api(person)
    while (lines := answer(api, **after))[-1]["type"] == "more":
        answers.append(len(lines) - 1)
        found += lines[:-1]
        after = {"after": lines[-1]["cursor"]}
    found += lines[:-1]
    assert max(answers) < 10 + 4
    assert [int(each["id"]) for each in of_type(found, "tweet")] == tweets[::-1]
    monkeypatch.setattr(exporting, "READING_SECONDS", 0.0)
    assert len(answer(api)) == 2, "a page, and where to go on"


def test_no_section_is_read_again_to_see_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    life = a_life()
    reads = [Mock(side_effect=each.read) for each in exporting.SECTIONS]
    sections = [each._replace(read=read) for each, read in zip(exporting.SECTIONS, reads, strict=True)]
    monkeypatch.setattr(exporting, "SECTIONS", sections)
    assert {line["type"] for line in exported(life.person)} == {each.type for each in sections}
    assert [read.call_count for read in reads] == [1] * len(reads)


def test_an_answer_in_which_there_is_nothing_comes_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little time it has: else whoever asks would be sent back to where they were."""
    monkeypatch.setattr(exporting, "READING_SECONDS", 0.0)
    api = Api(new_person())
    *_, line = exported(api)
    assert [each["type"] for each in answer(api, after=line["cursor"])] == ["end"]


def test_nothing_that_was_deleted_and_no_words_of_others_that_one_may_not_see() -> None:
    person, author, gone, shy = (new_person() for _ in range(4))
    deleted = post(person, "not mine any more")
    delete_tweet(tweet_id=deleted, viewer=viewer(person))
    words = {each.id: post(each, f"words of {each.username}") for each in (author, gone, shy)}
    for tweet_id in words.values():
        like(viewer=viewer(person), tweet_id=tweet_id)
        bookmark(viewer=viewer(person), tweet_id=tweet_id)
    for each in (author, gone):
        follows.follow(person.id, each.id)
    suspending.suspend(gone, by=operator())
    services.update_profile(shy.id, services.ProfileChange(protected=True))
    lines = exported(person)
    assert of_type(lines, "tweet") == []
    for name in ("like", "bookmark"):
        seen = {int(each["tweet_id"]): each["tweet"] and each["tweet"]["text"] for each in of_type(lines, name)}
        assert seen == {
            words[author.id]: f"words of {author.username}",
            words[gone.id]: None,
            words[shy.id]: None,
        }
    named = {int(each["id"]): each["username"] for each in of_type(lines, "following")}
    assert named == {author.id: author.username, gone.id: None}
    blocks.block(author.id, person.id)
    assert [each["tweet"] for each in of_type(exported(person), "like")] == [None] * 3


def test_it_is_one_s_own_alone_whoever_s_cursor_it_is() -> None:
    life, other = a_life(), new_person()
    mine = post(other, "mine")
    cursor = next(line["cursor"] for line in exported(life.person) if line["type"] == "session")
    assert [int(each["id"]) for each in of_type(exported(other, after=cursor), "tweet")] == [mine]


@on_one_store
@pytest.mark.parametrize("cursor", ["", "x", "tweet-1", "tweet-1.signature", "ü", "y" * 5_000, "%00"])
def test_what_is_no_cursor_of_ours_is_refused(cursor: str) -> None:
    got = Api(new_person()).get("/me/export", after=cursor)
    assert (got.status_code, got.json()["code"]) == (400, "bad_cursor")


@on_one_store
def test_nobody_s_is_refused() -> None:
    assert Api().get("/me/export").status_code == 401


def test_a_store_that_goes_away_amid_an_answer_leaves_where_to_go_on() -> None:
    api = Api(a_life().person)
    with patch.object(type(tweet_store()), "by_author", side_effect=Unavailable("store")):
        *lines, last = answer(api)
        assert {line["type"] for line in lines} == {"account", "session"}
        assert last == {"type": "more", "cursor": lines[-1]["cursor"]}
        got = api.get("/me/export", after=last["cursor"])
        assert got.status_code == 503
        assert got["Retry-After"]
    whole = exported(api)
    tweets_on = [line["cursor"] for line in whole if line["type"] not in ("account", "session")]
    assert [line["cursor"] for line in exported(api, after=last["cursor"])] == tweets_on


@on_one_store
def test_it_is_begun_a_few_times_a_day_and_gone_on_with_as_often_as_one_may_ask(
    limits_on: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_export, "EXPORTS", rate_limits.Policy("export", 2, 86_400))
    person, other = new_person(), new_person()
    client = ApiClient(person)
    said = [client.get("/api/v1/me/export") for _ in range(3)]
    assert [each.status_code for each in said] == [200, 200, 429]
    assert int(said[-1]["Retry-After"]) > 80_000
    cursor = json.loads(said[0].content.splitlines()[0])["cursor"]
    assert client.get("/api/v1/me/export", {"after": cursor}).status_code == 200
    assert ApiClient(other).get("/api/v1/me/export").status_code == 200


@on_one_store
def test_what_could_not_be_begun_is_not_counted(limits_on: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_export, "EXPORTS", rate_limits.Policy("export", 1, 86_400))
    client = ApiClient(new_person())
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "get_user", Mock(side_effect=Unavailable("database")))
        assert client.get("/api/v1/me/export").status_code == 503
    assert client.get("/api/v1/me/export").status_code == 200
    assert client.get("/api/v1/me/export").status_code == 429


@on_one_store
def test_it_is_a_file_of_the_person_s_name() -> None:
    person = new_person()
    got = ApiClient(person).get("/api/v1/me/export")
    assert got["Content-Disposition"] == f'attachment; filename="{person.username}.ndjson"'


def test_of_very_much_a_page_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand edges no more are ever read at once than a page, and an answer's lines are all that is held."""
    monkeypatch.setattr(exporting, "PAGE", 10)
    person = new_person()
    for _ in range(35):
        follows.follow(new_person().id, person.id)
    limits: list[int] = []
    read = type(associations()).newest_sources

    def noted(*args: Any, **how: Any) -> Any:
        limits.append(how["limit"])
        return read(*args, **how)

    with patch.object(type(associations()), "newest_sources", noted):
        assert len(of_type(exported(person), "follower")) == 35
    assert max(limits) == 10
