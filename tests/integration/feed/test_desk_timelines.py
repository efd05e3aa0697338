"""Home timelines on the desk: as their readers see them, and without a trace of having been looked at."""

import re
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import blocks, follows
from accounts.models import User
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from fanout.delivery import celebrities
from fanout.timelines import materialised
from fanout.timelines.builds import open_build
from feed.operations import audit, homes
from feed.operations.homes import Way, home_of
from storage.redis.node import timeline_node
from storage.stores import outbox
from storage.web.paging import encode_cursor
from tests.backends import counted_round_trips, timeline_redis_down
from tests.integration.accounts.admins import post as press
from tests.integration.fanout.materialising import raise_epoch, raise_graph_version
from tests.integration.feed.desk import BAD_IDS, XSS, Desk, assert_harmless
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import home, in_redis, post, viewer
from tests.people import new_person, new_staff
from tests.work import open_orders, work_off_everything
from tweets.writing.posting import delete_tweet

pytestmark = pytest.mark.usefixtures("product")


class Scene:
    """A reader who follows an author; one tweet was pulled when the timeline was made, one was pushed."""

    def __init__(self) -> None:
        self.reader, self.author = new_person(), new_person()
        follows.follow(self.reader.id, self.author.id)
        self.first = post(self.author, "the first")
        work_off_everything()
        home(self.reader)
        self.second = post(self.author, "the second")
        work_off_everything()

    @property
    def path(self) -> str:
        return f"timelines/{self.reader.id}/"

    def ways(self, **asked: int) -> list[tuple[int, Way, bool]]:
        return [(each.entry.id, each.way, each.shown) for each in home_of(self.reader.account, **asked).entries]


def audited(desk: Desk, scene: Scene) -> str:
    """The page after its button was pressed."""
    answer = press(desk.client, f"/admin/desk/{scene.path}", {"audit": "1"})
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def desk() -> Desk:
    return Desk(Role.OPERATOR)


class TestWhereEntriesComeFrom:
    def test_pushed_pulled_and_merged(self, scene: Scene) -> None:
        assert scene.ways() == [(scene.second, Way.PUSHED, True), (scene.first, Way.PULLED, True)]
        large = new_person()
        follows.follow(scene.reader.id, large.id)
        celebrities.begin_pulling(large.id)
        timeline_node().round_trip(("SET", celebrities.counted_key(large.id), b"1"))
        merged = post(large)
        work_off_everything()
        assert home(scene.reader)[0] == merged
        assert scene.ways()[0] == (merged, Way.MERGED, True)

    def test_below_the_floor_cold_and_without_redis_from_the_store(self, scene: Scene, settings: Settings) -> None:
        from_store = [(scene.second, Way.STORE, True), (scene.first, Way.STORE, True)]
        settings.TIMELINE_CAP = 1
        timeline_node().round_trip(materialised.discard_command(scene.reader.id))
        assert scene.ways() == from_store, "cold"
        home(scene.reader)
        assert scene.ways() == [(scene.second, Way.PULLED, True), (scene.first, Way.STORE, True)]
        with timeline_redis_down():
            found = home_of(scene.reader.account)
            assert (found.timeline, scene.ways()) == (None, from_store)

    def test_what_their_page_leaves_out_is_marked(self, scene: Scene) -> None:
        blocks.mute(scene.reader.id, scene.author.id)
        home(scene.reader)
        pushed = post(scene.author)
        work_off_everything()
        assert (in_redis(scene.reader), home(scene.reader)) == ([pushed], [])
        assert scene.ways() == [(pushed, Way.PUSHED, False)]

    def test_pages_meet_every_entry_once(self, scene: Scene, settings: Settings) -> None:
        settings.TIMELINE_CAP = 25
        timeline_node().round_trip(materialised.discard_command(scene.reader.id))
        tweets = [scene.first, scene.second, *(post(scene.author) for _ in range(48))]
        work_off_everything()
        home(scene.reader)
        found: list[int] = []
        older: int | None = None
        while True:
            page = home_of(scene.reader.account, before=older)
            found += [each.entry.id for each in page.entries]
            older = page.older
            if older is None:
                break
        assert found == tweets[::-1]

    def test_looking_leaves_no_trace(self, scene: Scene, desk: Desk) -> None:
        key = materialised.timeline_key(scene.reader.id)
        timeline_node().round_trip(("EXPIRE", key, 1_000))
        desk.page(scene.path)
        assert timeline_node().round_trip(("TTL", key))[0] <= 1_000
        timeline_node().round_trip(materialised.discard_command(scene.reader.id))
        audited(desk, scene)
        desk.page("explain/", reader=scene.reader.username, tweet=scene.first)
        assert timeline_node().round_trip(("EXISTS", key)) == [0]

    def test_a_page_costs_the_same_whatever_the_timeline_holds(self, scene: Scene) -> None:
        costs = []
        for count in (25, 200):
            for _ in range(count):
                post(scene.author)
            work_off_everything()
            home(scene.reader)
            home_of(scene.reader.account)
            with counted_round_trips() as trips:
                home_of(scene.reader.account)
            costs.append(len(trips))
        assert costs[0] == costs[1] <= 8


class TestPage:
    def test_what_a_timeline_says_of_itself(self, scene: Scene, desk: Desk) -> None:
        page = desk.page(scene.path)
        for text in ("<dd>ready</dd>", "<dd>2</dd>", "holds everything", "the second", "pulled when"):
            assert text in page, text
        assert page.index("the second") < page.index("the first")
        assert re.search(r'generation <span class="address">[0-9a-f]{16}-[0-9a-f]+</span>', page)
        timeline_node().round_trip(materialised.discard_command(scene.reader.id))
        page = desk.page(scene.path)
        assert ("<dd>none</dd>" in page, "read from the store" in page) == (True, True)
        with timeline_redis_down():
            assert "Redis does not answer" in desk.page(scene.path)

    def test_outdated_and_being_built(self, scene: Scene, desk: Desk) -> None:
        raise_epoch(scene.reader.id)
        assert "<dd>of another epoch</dd>" in desk.page(scene.path)
        raise_graph_version(scene.reader.id)
        assert "<dd>outdated</dd>" in desk.page(scene.path)
        open_build(scene.reader.id)
        assert "<dd>being built</dd>" in desk.page(scene.path)

    def test_finding_one(self, scene: Scene, desk: Desk) -> None:
        answer = desk.get("timelines/", reader=f" @{scene.reader.username.upper()}")
        assert answer.headers["Location"] == f"/admin/desk/{scene.path}"
        for name in ("nobody_of_that_name", "9" * 60, "漢字", "x" * 5_000, "\0", *XSS):
            page = desk.page("timelines/", 422, reader=name)
            assert "no such person" in page
            assert_harmless(page)
        assert desk.page("timelines/")

    @on_one_store
    def test_no_such_person_or_place(self, scene: Scene, desk: Desk) -> None:
        for path in ("timelines/7/", f"timelines/{'9' * 60}/", "timelines/x/"):
            assert desk.get(path).status_code == 404
        for place in BAD_IDS:
            assert desk.get(scene.path, before=place).status_code == 404

    def test_strings_that_would_run_are_text(self, scene: Scene, desk: Desk) -> None:
        scene.reader.display_name = XSS[0][:50]
        scene.reader.save()
        for text in XSS:
            post(scene.author, text)
        work_off_everything()
        assert_harmless(desk.page(scene.path))


class TestAudit:
    def test_right_waiting_and_wrong(self, scene: Scene, desk: Desk) -> None:
        with patch.object(audit, "MOMENT_SECONDS", 0.0):
            assert "Every entry above the floor is right." in audited(desk, scene)
            late = post(scene.author)
            page = audited(desk, scene)
            assert f"{late}: missing, its order is open" in page
            for order in open_orders():
                outbox().mark_done(order.id)
            page = audited(desk, scene)
            assert f'<p class="errornote">{late}: missing</p>' in page
            timeline_node().round_trip(materialised.discard_command(scene.reader.id))
            assert "nothing to compare" in audited(desk, scene)

    def test_looking_at_the_page_audits_nothing(self, scene: Scene, desk: Desk) -> None:
        with patch.object(homes, "audited", side_effect=AssertionError):
            desk.page(scene.path, audit="1")
        answer = desk.client.post(f"/admin/desk/{scene.path}", {"audit": "1"})
        assert answer.status_code == 403, "without a token of the page's"

    @on_one_store
    def test_one_at_a_time(self, scene: Scene, desk: Desk) -> None:
        with homes._AUDITING:
            assert "Another audit" in desk.send(scene.path, audit="1")
        assert "Another audit" not in audited(desk, scene)


class TestManyOpenOrders:
    """Of many open orders a page looks through some, once, and calls nothing a fault that another may explain."""

    def test_an_audit(self, scene: Scene, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit, "MOMENT_SECONDS", 0.0)
        post(new_person())
        late = post(scene.author)
        assert "open orders" not in audited(desk, scene)
        monkeypatch.setattr(audit, "ORDERS_READ_BY_A_PAGE", 1)
        page = audited(desk, scene)
        assert ("Only the oldest" in page, f"{late}: missing" in page) == (True, True)

    def test_an_explanation(self, scene: Scene, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("feed.desk.timelines.ORDERS_READ_BY_A_PAGE", 1)
        late = post(scene.author)
        outbox().mark_done(late)
        asked: dict[str, Any] = {"reader": scene.reader.username, "tweet": late}
        assert "a fault" in desk.page("explain/", **asked)
        post(new_person())
        store = type(outbox())
        with patch.object(store, "open_orders", autospec=True, side_effect=store.open_orders) as reads:
            page = desk.page("explain/", **asked)
        assert ("Only the oldest 1 open orders" in page, "not settled yet" in page) == (True, True)
        assert [call.kwargs["limit"] for call in reads.call_args_list] == [1]
        delete_tweet(tweet_id=scene.second, viewer=viewer(scene.author))
        page = desk.page("explain/", reader=scene.reader.username, tweet=str(scene.second))
        assert ("Only the oldest 1 open orders" in page, "not settled yet" in page) == (True, True)


class TestRebuilding:
    def test_it_is_made_anew_and_logged(self, scene: Scene, desk: Desk) -> None:
        timeline_node().round_trip(materialised.discard_command(scene.reader.id))
        assert "made anew" in desk.send(scene.path, reason="They see nothing.")
        assert in_redis(scene.reader) == [scene.second, scene.first]
        [entry] = StaffAction.objects.all()
        assert (entry.action, entry.subject_kind, entry.subject_id) == ("rebuild timeline", "person", scene.reader.id)
        assert (entry.reason, entry.by_id) == ("They see nothing.", desk.person.id)

    @on_one_store
    def test_not_without_a_reason_and_overtaken_is_told(self, scene: Scene, desk: Desk) -> None:
        timeline_node().round_trip(materialised.discard_command(scene.reader.id))
        for reason in ("", " ", "x" * 1_001, "\0"):
            assert "made anew" not in desk.send(scene.path, reason=reason)
        assert in_redis(scene.reader) is None
        assert not StaffAction.objects.exists()
        with patch.object(homes, "make_anew", return_value=False):
            assert "overtaken" in desk.send(scene.path, reason="x")
        with timeline_redis_down():
            assert desk.refused(scene.path, reason="x") == 503


class TestExplaining:
    def test_why_it_is_there_or_not(self, scene: Scene, desk: Desk) -> None:
        name = scene.reader.username
        assert "in the timeline" in desk.page("explain/", reader=name, tweet=scene.second)
        assert "Position 1 in Redis, pushed." in desk.page(
            "explain/", reader=f"@{name}", tweet=encode_cursor(scene.second)
        )
        delete_tweet(tweet_id=scene.second, viewer=viewer(scene.author))
        work_off_everything()
        assert "It was deleted by its author." in desk.page("explain/", reader=name, tweet=scene.second)
        assert "There is no such tweet." in desk.page("explain/", reader=name, tweet=7)
        assert "does not follow" in desk.page("explain/", reader=name, tweet=post(new_person()))

    @on_one_store
    def test_bad_input(self, scene: Scene, desk: Desk) -> None:
        name = scene.reader.username
        for text in (*BAD_IDS, *XSS, "x" * 100_000):
            assert_harmless(desk.page("explain/", 422, reader=name, tweet=text))
        for text in ("nobody_of_that_name", "9" * 60, *XSS):
            assert_harmless(desk.page("explain/", 422, reader=text, tweet="7"))
        assert desk.page("explain/", reader="", tweet="7")


@on_one_store
@pytest.mark.parametrize("role", Role)
def test_each_role_sees_and_may_what_it_may(role: Role, scene: Scene) -> None:
    """A home tells whom its reader follows, mutes and blocks: operators' and administrators' to see."""
    desk, may = Desk(role), role in (Role.OPERATOR, Role.ADMINISTRATOR)
    asked = {"reader": scene.reader.username, "tweet": str(scene.first)}
    for path in ("timelines/", scene.path, "explain/"):
        assert desk.get(path, **asked).status_code in ((200, 302) if may else (403,)), path
    assert ('href="/admin/desk/timelines/"' in desk.client.get("/admin/").content.decode()) is may
    assert ("Explain" in desk.page(f"tweets/{scene.first}/")) is may
    if not may:
        assert desk.refused(scene.path, reason="x") == 403
        assert not StaffAction.objects.exists()


@on_one_store
def test_the_home_of_staff_is_superusers_to_see_and_one_s_own(desk: Desk) -> None:
    other = new_staff(Role.VIEWER)
    for path in (f"timelines/{other.id}/", "explain/"):
        assert desk.get(path, reader=other.username, tweet="7").status_code == 403
    assert desk.refused(f"timelines/{other.id}/", reason="x") == 403
    assert desk.get(f"timelines/{desk.person.id}/").status_code == 200
    User.objects.filter(pk=desk.person.pk).update(is_superuser=True)
    assert desk.get(f"timelines/{other.id}/").status_code == 200
