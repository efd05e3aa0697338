"""Tweets on the desk: finding one, one with all that is known of it, deleting and restoring, each by right."""

import pytest

from accounts.graph import follows
from accounts.models import User
from accounts.people import suspending
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from fanout.orders.kinds import TELL
from storage.ids.snowflakes import created_at, now_us
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import Order
from storage.stores import dead_letters
from storage.web.paging import encode_cursor
from tests.backends import counted_round_trips, counted_sql, timeline_redis_down
from tests.ids import new_id
from tests.integration.feed.desk import BAD_IDS, XSS, Desk, assert_harmless
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, post, viewer
from tests.people import ApiClient, new_person, new_staff
from tests.work import work_off_everything
from tweets.models import TweetRow
from tweets.stores.port import tweet_store
from tweets.writing.liking import like
from tweets.writing.posting import delete_tweet
from tweets.writing.retweeting import retweet

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def desk() -> Desk:
    return Desk(Role.MODERATOR)


class TestFinding:
    def test_by_id_link_or_cursor(self, desk: Desk) -> None:
        author = new_person()
        tweet = post(author, "found")
        for reference in (
            str(tweet),
            f"  {tweet} ",
            f"/@{author.username}/{tweet}",
            f"https://feed.example/@{author.username}/{tweet}?x=1#y",
            f"http://feed.example/@{author.username}/{tweet}/likes",
            f"/api/v1/tweets/{tweet}",
            f"/admin/desk/tweets/{tweet}/",
            encode_cursor(tweet),
        ):
            answer = desk.get("tweets/", q=reference)
            assert (answer.status_code, answer.headers.get("Location")) == (302, f"/admin/desk/tweets/{tweet}/"), (
                reference
            )
        assert "found" in desk.page(f"tweets/{tweet}/")

    def test_what_names_no_tweet_is_told(self, desk: Desk) -> None:
        for reference in (*BAD_IDS, *XSS, "https://[", "/@x/", encode_cursor(5)[:-1], "漢" * 300, "x" * 100_000):
            page = desk.page("tweets/", 422, q=reference)
            assert "That is no id" in page, reference
            assert_harmless(page)
        for missing in ("7", encode_cursor(5)):
            assert "No tweet has the id" in desk.page("tweets/", 422, q=missing)

    def test_by_author_and_time_first_and_next(self, desk: Desk) -> None:
        author = new_person()
        tweets = [post(author, f"number {number:03}") for number in range(25)]
        page = desk.page("tweets/", author=f"@{author.username.upper()}")
        shown = [f"number {number:03}" in page for number in range(25)]
        assert shown == [number >= 5 for number in range(25)]
        assert f"before={tweets[5]}" in page
        older = desk.page("tweets/", author=author.username, before=tweets[5])
        assert [f"number {number:03}" in older for number in range(25)] == [number < 5 for number in range(25)]
        assert "before=" not in older
        until = desk.page("tweets/", author=author.username, until=created_at(tweets[0])[:16])
        assert "None." in until, "to the minute, and nothing is older"
        assert "number 024" in desk.page("tweets/", author=author.username, until="2081-01-01T00:00+02:00")

    @on_one_store
    def test_bad_names_times_and_places(self, desk: Desk) -> None:
        author = new_person().username
        for name in ("nobody_of_that_name", "x" * 5_000, "漢字", "'", *XSS):
            page = desk.page("tweets/", 422, author=name)
            assert "no such person" in page
            assert_harmless(page)
        for until in ("yesterday", "9" * 60, "2026-13-01", "0001-01-01T00:00", "9999-12-31T23:59", "\0", *XSS):
            page = desk.page("tweets/", 422, author=author, until=until)
            assert "no time" in page or "of that time" in page, until
            assert_harmless(page)
        for place in BAD_IDS:
            assert desk.get("tweets/", author=author, before=place).status_code == 404, place
            assert desk.get("tweets/9/", before=place).status_code == 404


@on_one_store
def test_a_page_costs_the_same_over_a_hundred_thousand_tweets_as_over_ten(desk: Desk) -> None:
    costs = []
    for count in (30, 100_000):
        author = new_person()
        newest = post(author)
        rows = (
            TweetRow(id=newest - 1 - n, author=author.id, text="x", conversation=1, in_home=True, entities="{}")
            for n in range(count)
        )
        TweetRow.objects.bulk_create(rows, batch_size=1_000)
        for _ in range(2):
            with counted_round_trips() as redis, counted_sql("store") as store, counted_sql("default") as sql:
                page = desk.page("tweets/", author=author.username)
        assert f"before={newest - 19}" in page
        assert not any("COUNT(" in statement for statement in [*store, *sql] if "tweetrow" in statement)
        costs.append((len(redis), len(store), len(sql)))
    assert costs[0] == costs[1]


class TestOneTweet:
    def test_what_is_known_of_it(self, desk: Desk) -> None:
        author, fan = new_person(), new_person()
        root = post(author, "the root")
        tweet = post(author, "the subject", reply_to=root, quote_of=post(fan, "what it quotes"))
        post(fan, "an answer", reply_to=tweet)
        post(fan, "a quote of it", quote_of=tweet)
        like(viewer=viewer(fan), tweet_id=tweet)
        retweet(viewer=viewer(fan), tweet_id=tweet)
        page = desk.page(f"tweets/{tweet}/")
        for text in ("the root", "the subject", "what it quotes", "an answer"):
            assert text in page
        assert "1 reply · 1 retweet · 1 quote · 1 like" in page
        assert "a quote of it" not in page
        assert "a quote of it" in desk.page(f"tweets/{tweet}/", list="quotes")
        for name in ("likes", "retweets"):
            assert f"@{fan.username}</a>" in desk.page(f"tweets/{tweet}/", list=name)
        assert "an answer" in desk.page(f"tweets/{tweet}/", list="<script>")

    def test_lists_page_on(self, desk: Desk) -> None:
        tweet = post(new_person())
        fans = [new_person() for _ in range(21)]
        for fan in fans:
            like(viewer=viewer(fan), tweet_id=tweet)
        replies = [post(fans[0], f"reply {number:02}", reply_to=tweet) for number in range(21)]
        page = desk.page(f"tweets/{tweet}/")
        assert ("reply 01" in page, "reply 00" in page, f"before={replies[1]}" in page) == (True, False, True)
        assert "reply 00" in desk.page(f"tweets/{tweet}/", before=replies[1])
        page = desk.page(f"tweets/{tweet}/", list="likes")
        assert (f"@{fans[1].username}<" in page, f"@{fans[0].username}<" in page) == (True, False)
        [place] = {part.split('"')[0] for part in page.split("before=")[1:]}
        assert f"@{fans[0].username}<" in desk.page(f"tweets/{tweet}/", list="likes", before=place)

    def test_what_is_deleted_or_by_the_suspended_is_there(self, desk: Desk) -> None:
        author = new_person()
        deleted, kept = post(author, "deleted words"), post(author, "suspended words")
        delete_tweet(tweet_id=deleted, viewer=viewer(author))
        suspending.suspend(author, by=desk.person)
        page = desk.page(f"tweets/{deleted}/")
        assert "deleted words" in page
        assert "Deleted by its author, 20" in page
        assert "only what staff deleted is restored" in page
        assert 'value="restore"' not in page
        page = desk.page(f"tweets/{kept}/")
        assert ("suspended words" in page, ">suspended<" in page) == (True, True)

    def test_how_far_its_fan_out_has_come(self, desk: Desk) -> None:
        author, active, away = new_person(), new_person(), new_person()
        for reader in (active, away):
            follows.follow(reader.id, author.id)
        home(active)
        tweet = post(author)
        page = desk.page(f"tweets/{tweet}/")
        assert "open (deliver)" in page
        assert "0 hold it, 0 merge it when they read, 1 lack it, 1 read it from the store" in page
        work_off_everything()
        page = desk.page(f"tweets/{tweet}/")
        assert "<dd>done</dd>" in page
        assert "1 hold it, 0 merge it when they read, 0 lack it, 1 read it from the store" in page
        reply = post(away, reply_to=tweet)
        assert "<dd>open (notify)</dd>" in desk.page(f"tweets/{reply}/")
        work_off_everything()
        assert "not for home timelines" in desk.page(f"tweets/{reply}/")
        tagged = post(away, f"#tag{new_id()}", reply_to=tweet)
        assert "<dd>open (tell)</dd>" in desk.page(f"tweets/{tagged}/")
        letter = DeadLetter(Order(tagged, TELL, (tagged, away.id)), "ValueError: planted", 5, now_us())
        dead_letters().bury(letter)
        page = desk.page(f"tweets/{tagged}/")
        assert "<dd>given up" in page
        assert "ValueError: planted" in page
        dead_letters().replay(tagged)
        work_off_everything()
        assert "not for home timelines" in desk.page(f"tweets/{tagged}/")
        with timeline_redis_down():
            assert "<dd>done</dd>" in desk.page(f"tweets/{tweet}/")

    @on_one_store
    def test_no_such_tweet(self, desk: Desk) -> None:
        for path in ("tweets/7/", "tweets/0/", f"tweets/{'9' * 60}/", "tweets/9223372036854775808/", "tweets/x/"):
            assert desk.get(path).status_code == 404

    def test_strings_that_would_run_are_text(self, desk: Desk) -> None:
        author = new_person()
        author.display_name = XSS[0][:50]
        author.save()
        tweet = post(author, "root " + XSS[1])
        for text in XSS:
            last = post(author, text, reply_to=tweet, quote_of=tweet)
            for path in (f"tweets/{tweet}/", f"tweets/{last}/"):
                assert_harmless(desk.page(path))
        assert "&lt;script&gt;" in desk.page(f"tweets/{tweet}/")
        assert_harmless(desk.page("tweets/", author=author.username))


class TestActing:
    def test_deleting_with_a_reason_and_restoring(self, desk: Desk) -> None:
        author, reader = new_person(), new_person()
        follows.follow(reader.id, author.id)
        tweet = post(author, "rude words")
        work_off_everything()
        assert home(reader) == [tweet]
        assert "Deleted." in desk.send(f"tweets/{tweet}/", action="delete", reason="It is rude.")
        work_off_everything()
        assert home(reader) == []
        page = desk.page(f"tweets/{tweet}/")
        assert f"Deleted by @{desk.person.username}, 20" in page
        assert ('value="restore"' in page, 'value="delete"' in page) == (True, False)
        assert "Restored." in desk.send(f"tweets/{tweet}/", action="restore", reason="It was quoted.")
        work_off_everything()
        assert home(reader) == [tweet]
        entries = StaffAction.objects.filter(subject_id=tweet).order_by("id")
        assert [(entry.action, entry.reason, entry.by_id) for entry in entries] == [
            ("delete", "It is rude.", desk.person.id),
            ("restore tweet", "It was quoted.", desk.person.id),
        ]

    @on_one_store
    def test_no_reason_no_such_action_and_what_is_done_already(self, desk: Desk) -> None:
        tweet = post(new_person())
        path = f"tweets/{tweet}/"
        for reason in ("", "   ", "x" * 1_001, "\0"):
            assert desk.send(path, action="delete", reason=reason) != ""
        assert "no such action" in desk.send(path, action="<script>", reason="x")
        assert "no such action" in desk.send(path, reason="x")
        assert not tweet_store().get_many([tweet])[tweet].deleted
        assert not StaffAction.objects.exists()
        assert "It is not deleted." in desk.send(path, action="restore", reason="x")
        desk.send(path, action="delete", reason="x")
        assert "no tweet" in desk.send(path, action="delete", reason="x")
        assert desk.refused("tweets/7/", action="delete", reason="x") == 302

    @on_one_store
    def test_a_reason_that_would_run_is_text_wherever_it_is_shown(self, desk: Desk) -> None:
        tweet = post(new_person())
        for reason in XSS:
            desk.send(f"tweets/{tweet}/", action="delete", reason=reason)
            desk.send(f"tweets/{tweet}/", action="restore", reason=reason)
        told = [entry.reason for entry in StaffAction.objects.order_by("id")]
        assert told == [each for each in XSS for _ in range(2)]
        assert_harmless(desk.page(f"tweets/{tweet}/"))

    @on_one_store
    @pytest.mark.parametrize("role", Role)
    def test_each_role_sees_and_may_what_it_may(self, role: Role) -> None:
        tweet, deleted = post(new_person()), post(new_person())
        delete_tweet(tweet_id=deleted, viewer=viewer(new_staff(Role.MODERATOR)), reason="x")
        desk, may = Desk(role), role in (Role.MODERATOR, Role.ADMINISTRATOR)
        for tweet_id, action in ((tweet, "delete"), (deleted, "restore")):
            page = desk.page(f"tweets/{tweet_id}/")
            assert (f'value="{action}"' in page) is may
            assert ('name="reason"' in page) is may
            if not may:
                assert desk.refused(f"tweets/{tweet_id}/", action=action, reason="x") == 403
        assert tweet_store().get_many([tweet])[tweet].deleted is False
        assert tweet_store().get_many([deleted])[deleted].deleted is True

    @on_one_store
    def test_tweets_of_staff_are_superusers_to_delete(self, desk: Desk) -> None:
        theirs = post(new_person(staff=True))
        assert 'name="reason"' not in desk.page(f"tweets/{theirs}/")
        assert desk.refused(f"tweets/{theirs}/", action="delete", reason="x") == 403
        assert not tweet_store().get_many([theirs])[theirs].deleted
        User.objects.filter(pk=desk.person.pk).update(is_superuser=True)
        assert 'name="reason"' in desk.page(f"tweets/{theirs}/")

    @on_one_store
    def test_ones_own_is_deleted_as_its_author_does_at_any_door(self, desk: Desk) -> None:
        at_the_desk, at_the_api = (post(desk.person, "my own") for _ in range(2))
        page = desk.page(f"tweets/{at_the_desk}/")
        assert ('value="delete"' in page, 'name="reason"' in page) == (True, False)
        assert "Deleted." in desk.send(f"tweets/{at_the_desk}/", action="delete")
        assert ApiClient(desk.person).delete(f"/api/v1/tweets/{at_the_api}").status_code == 204
        for tweet in (at_the_desk, at_the_api):
            assert tweet_store().get_many([tweet])[tweet].deleted
            assert "Deleted by its author, " in desk.page(f"tweets/{tweet}/")
        assert not StaffAction.objects.exists()

    @on_one_store
    def test_who_sends_no_token_changes_nothing(self, desk: Desk) -> None:
        tweet = post(new_person())
        answer = desk.client.post(f"/admin/desk/tweets/{tweet}/", {"action": "delete", "reason": "x"})
        assert answer.status_code == 403
        assert not tweet_store().get_many([tweet])[tweet].deleted


@on_one_store
def test_nobody_else_comes_in() -> None:
    tweet = post(new_person())
    for client in (ApiClient(), ApiClient(new_person())):
        assert client.get(f"/admin/desk/tweets/{tweet}/").status_code == 302
