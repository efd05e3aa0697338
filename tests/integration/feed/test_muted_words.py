"""Muted words: what has them does not notify, from the answer on and of the past; nothing else changes, nor what it
costs those who mute none."""

import asyncio
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.account_cache import accounts
from accounts.account_cache.vouching import look
from accounts.graph import follows
from accounts.models import User
from deploy.supervisor.processes import wait_until
from feed.live.threads import housekeeping
from feed.models import MUTED_WORD_MAX, MutedWord
from feed.notifications import groups, muted_words
from feed.notifications import unread as unread_module
from feed.notifications.muted_words import MOST_KEYS, MOST_MUTED, mute_word, unmute_word
from feed.notifications.pages import notifications_page
from storage.errors import Refused, Unavailable
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.web.paging import PageRequest
from tests.backends import counted_round_trips, counted_store_calls, timeline_redis_down, vouch_for_all
from tests.integration.feed.notified import likes, told, unread
from tests.integration.feed.sockets import Socket, delivered
from tests.integration.querying import Door
from tests.integration.speaking import Api, on_one_store, problem
from tests.integration.tweeting import guards_have_ended, home, post, viewer
from tests.people import ApiClient, new_person
from tests.threads import run_together
from tests.work import work_off_everything
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")

WORDS = "/me/muted-words"


def path_of(word: str) -> str:
    return f"{WORDS}/{quote(word, safe='')}"


def mute(person: User, word: str) -> dict[str, Any]:
    answer = Api(person).call("PUT", path_of(word))
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def unmute(person: User, word: str) -> None:
    assert Api(person).call("DELETE", path_of(word)).status_code == 204


def listed(person: User) -> list[str]:
    return [each["word"] for each in Api(person).page(WORDS, limit=100)["data"]]


def types(person: User) -> list[str]:
    return [each[0] for each in told(person)]


class Scene:
    """Ada, whom ben answers, quotes and mentions, with the word and without; he likes and retweets what has it."""

    def __init__(self) -> None:
        self.ada, self.ben = new_person(), new_person()
        self.tweet = post(self.ada, "no spoiler of mine")
        for text in ("a Spoiler", "nothing"):
            post(self.ben, text, reply_to=self.tweet)
            post(self.ben, text, quote_of=self.tweet)
            post(self.ben, f"{text} for @{self.ada.username}")
        likes(self.ben, self.tweet)
        retweet(viewer=viewer(self.ben), tweet_id=self.tweet)
        follows.follow(self.ben.id, self.ada.id)
        self.all = ["follow", "retweet", "like", "mention", "quote", "reply", "mention", "quote", "reply"]
        self.few = ["follow", "retweet", "like", "mention", "quote", "reply"]


def test_what_has_the_word_is_hidden_that_of_the_past_too_until_it_is_muted_no_more() -> None:
    scene = Scene()
    assert (types(scene.ada), unread(scene.ada)) == (scene.all, 9)
    mute(scene.ada, "SPOILER")
    assert (types(scene.ada), unread(scene.ada)) == (scene.few, 6)
    post(scene.ben, "one more spoiler", reply_to=scene.tweet)
    assert (types(scene.ada), unread(scene.ada)) == (scene.few, 6)
    unmute(scene.ada, "spoiler")
    assert (types(scene.ada), unread(scene.ada)) == (["reply", *scene.all], 10)


def test_nobody_else_s_notifications_and_no_timeline_change() -> None:
    scene = Scene()
    follows.follow(scene.ada.id, scene.ben.id)
    homes = home(scene.ada)
    mute(scene.ben, "spoiler")
    assert (types(scene.ada), unread(scene.ada)) == (scene.all, 9)
    mute(scene.ada, "spoiler")
    assert home(scene.ada) == homes


def test_a_phrase_a_hashtag_and_a_script_without_spaces() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    for text in ("the season  finale", "#Finale", "東京都に行く", "seasonal finale"):
        post(ben, text, reply_to=tweet)
    for word, left in (("season finale", 3), ("#ＦＩＮＡＬＥ", 2), ("東京", 1), ("finale", 0)):
        mute(ada, word)
        assert len(told(ada)) == left, word


def test_pages_are_full_and_go_on_behind_what_is_hidden() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    kept = []
    for number in range(4):
        kept.append(str(post(ben, f"number {number}", reply_to=tweet)))
        for _ in range(3):
            post(ben, "a spoiler", reply_to=tweet)
    mute(ada, "spoiler")
    work_off_everything()
    first = Api(ada).page("/me/notifications", limit=3)
    second = Api(ada).page("/me/notifications", limit=3, cursor=first["meta"]["next_cursor"])
    assert [each["tweet"]["id"] for page in (first, second) for each in page["data"]] == kept[::-1]
    assert second["meta"]["next_cursor"] is None


def test_the_live_stream_tells_of_none_also_when_it_was_muted_while_it_was_open() -> None:
    ada, ben = new_person(), new_person()
    tweet = post(ada)
    work_off_everything()

    async def act(function: Any, *args: Any, **kwargs: Any) -> Any:
        result = await housekeeping(function, *args, **kwargs)
        await delivered()
        return result

    async def scenario() -> None:
        socket = await housekeeping(Socket, ada)
        await socket.open(stream="notifications")
        await housekeeping(mute, ada, "spoiler")
        await act(post, ben, "a spoiler", reply_to=tweet)
        plain = await act(post, ben, "a reply", reply_to=tweet)
        assert (await socket.frame())["notification"]["tweet"]["id"] == str(plain)
        await housekeeping(unmute, ada, "spoiler")
        other = await act(post, ben, "another spoiler", reply_to=tweet)
        frames = [(await socket.frame())["notification"]["tweet"]["id"]]
        if frames != [str(other)]:  # what was hidden stands above the watermark, and is told first
            frames.append((await socket.frame())["notification"]["tweet"]["id"])
        assert frames[-1] == str(other)
        await socket.close()

    asyncio.run(scenario())


def test_doors_say_the_same() -> None:
    scene = Scene()
    work_off_everything()
    muting = 'mutation { muteWord(input: {word: "Spoiler"}) { mutedWord { word createdAt id } errors { code } } }'
    made = Door(scene.ada).data(muting)["muteWord"]
    [shown] = Api(scene.ada).page(WORDS)["data"]
    assert made["mutedWord"] == {"word": shown["word"], "createdAt": shown["created_at"], "id": shown["id"]}
    query = "{ mutedWords(first: 5) { edges { node { word } } } notifications(first: 20) { edges { node { type } } } }"
    answered = Door(scene.ada).data(f"{query[:-1]} unreadNotificationsCount }}")
    assert [each["node"]["word"] for each in answered["mutedWords"]["edges"]] == ["spoiler"]
    assert [each["node"]["type"] for each in answered["notifications"]["edges"]] == types(scene.ada) == scene.few
    assert answered["unreadNotificationsCount"] == 6
    ending = 'mutation { unmuteWord(input: {word: "spoiler"}) { ok errors { code } } }'
    assert Door(scene.ada).data(ending)["unmuteWord"] == {"ok": True, "errors": []}
    assert types(scene.ada) == scene.all
    bad = 'mutation { muteWord(input: {word: "!"}) { mutedWord { word } errors { field code } } }'
    assert Door(scene.ada).data(bad)["muteWord"] == {
        "mutedWord": None,
        "errors": [{"field": "word", "code": "no_word"}],
    }
    assert Door().errors("{ mutedWords { edges { cursor } } }", status=200)[0]["extensions"]["code"]


@on_one_store
class TestTheList:
    def test_newest_first_in_pages(self) -> None:
        ada = new_person()
        for word in ("one", "two", "three"):
            mute(ada, word)
        mute(new_person(), "another's")
        first = Api(ada).page(WORDS, limit=2)
        rest = Api(ada).page(WORDS, limit=2, cursor=first["meta"]["next_cursor"])
        assert [each["word"] for page in (first, rest) for each in page["data"]] == ["three", "two", "one"]
        newer = Api(ada).page(WORDS, limit=2, since=rest["meta"]["prev_cursor"])
        assert [each["word"] for each in newer["data"]] == ["three", "two"]

    @pytest.mark.parametrize("word", ["and/or", "50%", "a b", "東京", "#tag", "what?", "..x..", "a;b", "x/", "a+b"])
    def test_any_word_has_a_path(self, word: str) -> None:
        client = ApiClient(ada := new_person())
        answer = client.put(f"/api/v1{path_of(word)}")
        assert (answer.status_code, answer.json()["data"]["word"]) == (200, word)
        assert client.delete(f"/api/v1{path_of(word)}").status_code == 204
        assert listed(ada) == []

    def test_muting_is_idempotent_and_keeps_the_first(self) -> None:
        ada = new_person()
        first = mute(ada, "E-Mail")
        assert mute(ada, "e mail") == first
        assert listed(ada) == ["e-mail"]
        unmute(ada, "ｅ－ｍａｉｌ")
        unmute(ada, "e-mail")
        assert listed(ada) == []

    @pytest.mark.parametrize(("word", "code"), [("!", "no_word"), ("x" * 101, "too_long"), ("x" * 5_000, "too_long")])
    def test_what_cannot_be_muted_is_refused(self, word: str, code: str) -> None:
        ada = new_person()
        for method in ("PUT", "DELETE"):
            assert "word" in problem(Api(ada).call(method, path_of(word)), 422, code)["errors"]
        assert listed(ada) == []

    def test_it_is_bounded_also_among_many_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert MOST_MUTED == 200
        monkeypatch.setattr(muted_words, "MOST_MUTED", 3)
        ada = new_person()
        mute(ada, "w0")
        refused: list[str] = []

        def one_more(number: int) -> None:
            try:
                mute_word(viewer(ada), f"w{number}")
            except Refused as error:
                refused.append(error.code)
            except Unavailable:
                refused.append("locked")

        run_together([lambda number=number: one_more(number) for number in range(1, 6)])  # type: ignore[misc]
        assert len(listed(ada)) == 6 - len(refused) <= 3
        for number in range(3):
            mute_word_or_nothing(ada, f"w{number}")
        problem(Api(ada).call("PUT", path_of("x")), 422, "too_many")
        assert mute(ada, listed(ada)[0]), "what is muted already is no further one"

    def test_all_of_it_together_is_bounded(self) -> None:
        ada = new_person()
        longest = [chr(0x4E00 + number) * MUTED_WORD_MAX for number in range(25)]
        taken = [each for each in longest if Api(ada).call("PUT", path_of(each)).status_code == 200]
        assert len(taken) == MOST_KEYS // (2 * MUTED_WORD_MAX - 1) == 20
        error = problem(Api(ada).call("PUT", path_of(longest[-1])), 422, "too_many")
        assert "too long together" in error["errors"]["word"][0]
        assert mute(ada, taken[0]), "what is muted already is no further one"
        assert mute(ada, "short")
        unmute(ada, taken[0])
        assert mute(ada, longest[-1])


def mute_word_or_nothing(person: User, word: str) -> None:
    Api(person).call("PUT", path_of(word))


def all_is_vouched_for() -> None:
    """Half a minute after the last change: caches are filled, and good without asking SQL."""
    guards_have_ended()
    begin(timeline_node())
    vouch_for_all()


class TestCosts:
    def cost(self, person: User) -> tuple[int, int, list[str]]:
        """Of a page, as REST makes it: round trips, store reads, and SQL."""
        with counted_round_trips() as redis, counted_store_calls() as store, CaptureQueriesContext(connection) as sql:
            notifications_page(viewer(person), PageRequest(limit=20))
        return len(redis), len(store), [each["sql"] for each in sql]

    def test_who_mutes_none_pays_nothing(self) -> None:
        scene = Scene()
        types(scene.ada)
        all_is_vouched_for()
        self.cost(scene.ada)
        by_id = accounts.accounts_by_id
        with (
            patch.object(groups, "muted_words", return_value=muted_words.NONE),
            patch.object(groups, "accounts_by_id", lambda ids: by_id({*ids} - {scene.ada.id})),
        ):
            without = self.cost(scene.ada)
        assert self.cost(scene.ada) == without
        assert self.cost(scene.ada)[2] == []
        unread(scene.ada)
        with counted_round_trips() as redis, counted_store_calls() as store:
            unread_module.unread_count(viewer(scene.ada))
        assert (len(redis), len(store)) == (1, 0)

    def test_a_list_is_read_once_by_a_process(self) -> None:
        scene = Scene()
        types(scene.ada)
        all_is_vouched_for()
        *_, before = [self.cost(scene.ada) for _ in range(3)]
        mute(scene.ada, "nothing of that")
        all_is_vouched_for()
        first, *_, again = [self.cost(scene.ada) for _ in range(3)]
        assert len([each for each in first[2] if "feed_mutedword" in each]) == 1
        assert again == before


@on_one_store
class TestFaults:
    def test_a_count_that_was_under_way_does_not_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scene = Scene()
        types(scene.ada)
        count = unread_module._count

        def slowly(person: Any) -> int:
            counted = count(person)
            mute(scene.ada, "spoiler")
            return counted

        monkeypatch.setattr(unread_module, "_count", slowly)
        assert unread_module.unread_count(viewer(scene.ada)) == 9
        monkeypatch.undo()
        assert unread(scene.ada) == 6

    @pytest.mark.usefixtures("deferred_writes_run")
    def test_redis_away_while_it_is_muted(self) -> None:
        scene = Scene()
        assert unread(scene.ada) == 9
        with timeline_redis_down():
            mute_word(viewer(scene.ada), "spoiler")
            found = notifications_page(viewer(scene.ada), PageRequest(limit=20)).items
            assert [each.type for each in found] == scene.few
        assert look(), "as somebody does each second"
        assert types(scene.ada) == scene.few
        assert wait_until(lambda: unread(scene.ada) == 6, seconds=30)

    def test_redis_emptied(self) -> None:
        scene = Scene()
        mute(scene.ada, "spoiler")
        assert unread(scene.ada) == 6
        timeline_node().round_trip(("FLUSHALL",))
        begin(timeline_node())
        vouch_for_all()
        assert (types(scene.ada), unread(scene.ada)) == (scene.few, 6)

    def test_what_cannot_be_looked_for_is_not_shown(self) -> None:
        """Whose list no process has read while SQL is away is told to come again; who mutes none reads on."""
        scene = Scene()
        types(scene.ada)
        mute(scene.ada, "spoiler")
        accounts.accounts_by_id([scene.ada.id])
        with patch.object(MutedWord.objects, "filter", side_effect=OperationalError), pytest.raises(Unavailable):
            notifications_page(viewer(scene.ada), PageRequest(limit=20))
        other = Scene()
        types(other.ada)
        with patch.object(MutedWord.objects, "filter", side_effect=OperationalError):
            found = notifications_page(viewer(other.ada), PageRequest(limit=20)).items
        assert [each.type for each in found] == other.all

    def test_an_entry_of_a_process_that_knew_of_no_words_is_looked_up(self) -> None:
        scene = Scene()
        mute(scene.ada, "spoiler")
        types(scene.ada)
        account = accounts.accounts_by_id([scene.ada.id])[scene.ada.id]
        assert account.muted_words_version
        older = type(account)(*[getattr(account, name) for name in account.__struct_fields__[:9]])
        assert older.muted_words_version is None
        assert muted_words.muted_words(scene.ada.id, older).phrases == (" spoiler ",)
        all_is_vouched_for()
        kept, generation = accounts._from_redis([scene.ada.id])
        renewing = accounts.ACCOUNTS.renew({scene.ada.id: older}, generation=generation, redis_ms=kept.redis_ms)
        timeline_node().round_trip(*renewing)
        assert accounts._from_redis([scene.ada.id])[0].doubtful == {scene.ada.id: older}
        assert types(scene.ada) == scene.few
        good = accounts._from_redis([scene.ada.id])[0].good
        assert good == {scene.ada.id: account}, "and is filled again, so that it is looked up once"
        assert muted_words.muted_words(scene.ada.id, None).phrases == (" spoiler ",)

    def test_the_version_is_right_whoever_mutes_and_unmutes_at_once(self) -> None:
        ada = new_person()

        def again(act: Any, word: str) -> None:
            for _ in range(20):
                try:
                    act(viewer(ada), word)
                except Unavailable:
                    continue
                break

        for round_number in range(5):
            mute(ada, "old")
            run_together([lambda: again(unmute_word, "old"), lambda: again(mute_word, "new")])
            row = User.objects.get(pk=ada.pk)
            assert bool(row.muted_words_version) == bool(listed(ada)), round_number
            assert muted_words.muted_words(ada.id, row.account).phrases == (" new ",)
            unmute(ada, "new")
            assert User.objects.get(pk=ada.pk).muted_words_version == 0
