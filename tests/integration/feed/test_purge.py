"""Who is suspended leaves nothing in Redis, and finds everything again when restored."""

import time
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import blocks, exclusions, follows
from accounts.graph.follows import graph_version_key
from accounts.people import purge, suspending
from accounts.people.purge import PURGE_ORDER, READING, purge_command
from fanout.orders import handlers, sweeper
from fanout.timelines import builds, materialised
from storage.errors import Unavailable
from tests.backends import timeline_redis_down
from tests.ids import new_id
from tests.integration.feed.commands import stray_keys
from tests.integration.feed.reading import active_reader, operator, reading_of, redis
from tests.integration.tweeting import home, post
from tests.people import ApiClient, new_person
from tests.work import open_orders, work_off_everything
from tweets.caches import marks

pytestmark = pytest.mark.usefixtures("product", "no_moment")


def test_forgetting_names_the_keys_of_their_owners() -> None:
    reader = new_id()
    assert set(purge_command(reader)[1:]) == {
        materialised.timeline_key(reader),
        graph_version_key(reader),
        exclusions.exclusions_key(reader),
        marks._marks_key(reader),
        marks.version_key(reader),
    }


class TestSuspension:
    def test_whoever_is_suspended_leaves_nothing_and_others_stay(self) -> None:
        author = new_person()
        reader, other = active_reader(author), active_reader(author)
        suspending.suspend(reader, by=operator())
        assert reading_of(reader) == set()
        assert reading_of(other) == {*READING}

    def test_a_request_that_was_let_in_before_is_forgotten_by_the_order(self, settings: Settings) -> None:
        reader = active_reader()
        suspending.suspend(reader, by=operator())
        home(reader)
        assert "home" in reading_of(reader), "it had been let in, and made the timeline anew"
        waiting = open_orders()
        assert [each.args for each in waiting if each.kind == PURGE_ORDER] == [(reader.id,)]
        settings.SWEEP_AFTER_SECONDS = 0.0
        time.sleep(0.01)
        with patch.object(sweeper, "enqueue", lambda order, *, resent, **_: handlers.work_off(order, resent=resent)):
            assert sweeper.sweep() == len(waiting)
        assert reading_of(reader) == set()
        assert open_orders() == []

    def test_a_rebuild_and_fills_under_way_do_not_land(self) -> None:
        author = new_person()
        reader = active_reader(author)
        redis("DEL", materialised.timeline_key(reader.id))
        build = builds.open_build(reader.id)
        assert build is not None

        def suspended_meanwhile(_: int) -> exclusions.Exclusions:
            suspending.suspend(reader, by=operator())
            return exclusions.Exclusions()

        with patch.object(exclusions, "from_store") as read:
            read.side_effect = suspended_meanwhile
            exclusions.refreshed(reader.id)
        assert not builds.finish_build(build, [1], floor=0)
        assert reading_of(reader) == set()

    def test_without_redis_the_order_forgets(self) -> None:
        reader = active_reader()
        with timeline_redis_down():
            suspending.suspend(reader, by=operator())
        assert reading_of(reader) == {*READING}
        work_off_everything()
        assert reading_of(reader) == set()

    def test_without_the_store_it_is_in_force_all_the_same(self) -> None:
        """As after a crash between SQL and the outbox: what is left then is a stray."""
        reader = active_reader()
        client = ApiClient(reader)
        with (
            patch("accounts.people.purge.stores.outbox", side_effect=Unavailable("store")),
            patch.object(purge, "_remove", side_effect=Unavailable("redis_timelines")),
        ):
            suspending.suspend(reader, by=operator())
        assert client.get("/api/v1/feed/home").status_code == 403
        assert open_orders() == []
        assert reading_of(reader) == {*READING}
        assert stray_keys("--remove")[0] == 0
        assert reading_of(reader) == set()

    def test_suspending_in_the_admin_forgets(self) -> None:
        reader = active_reader()
        client = ApiClient()
        client.force_login(operator())
        answer = client.post(
            "/admin/accounts/user/",
            {"action": "suspend", "_selected_action": str(reader.id), "confirmed": "yes", "reason": "x"},
            follow=True,
        )
        assert answer.status_code == 200
        assert reading_of(reader) == set()

    def test_who_is_restored_finds_everything_again(self) -> None:
        left, joined = new_person(), new_person()
        reader = active_reader(left)
        suspending.suspend(reader, by=operator())
        during = [post(left), post(joined)]
        work_off_everything()
        assert reading_of(reader) == set()
        suspending.restore(reader, by=operator())
        assert during[0] in home(reader)
        follows.follow(reader.id, joined.id)
        assert set(during) <= set(home(reader))
        blocks.block(reader.id, left.id)
        assert (during[0] in home(reader), during[1] in home(reader)) == (False, True)

    def test_an_order_worked_off_after_a_restoration_costs_a_rebuild_only(self) -> None:
        author = new_person()
        reader = active_reader(author)
        tweet = post(author)
        suspending.suspend(reader, by=operator())
        suspending.restore(reader, by=operator())
        before = home(reader)
        work_off_everything()
        assert home(reader) == before
        assert tweet in before
