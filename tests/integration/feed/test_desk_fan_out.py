"""Fan-out on the desk: the dashboard of the last hours, and orders that were given up."""

from unittest.mock import patch

import pytest

from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from fanout.orders.kinds import DELIVER
from feed.models import FigureSample
from feed.operations import letters
from feed.operations.figures import BEHIND
from feed.tasks import sample_figures
from storage.ids.snowflakes import now_us
from storage.ports.dead_letters import DeadLetter
from storage.ports.outbox import Order
from storage.redis.tallies import current_slot
from storage.stores import dead_letters, outbox
from tests.backends import counted_sql
from tests.ids import new_id
from tests.integration.feed.desk import BAD_IDS, XSS, Desk, assert_harmless
from tests.integration.speaking import on_one_store
from tests.integration.tweeting import post
from tests.people import new_person
from tests.work import open_orders

pytestmark = pytest.mark.usefixtures("product")


@pytest.fixture
def desk() -> Desk:
    return Desk(Role.OPERATOR)


def buried(error: str = "ValueError: a planted fault") -> int:
    """A dead letter, of a tweet's delivery."""
    author = new_person()
    tweet = post(author)
    dead_letters().bury(DeadLetter(Order(tweet, DELIVER, (tweet, author.id)), error, 5, now_us()))
    return tweet


@on_one_store
class TestDashboard:
    def test_without_figures_it_says_what_takes_them(self, desk: Desk) -> None:
        assert "There are no figures" in desk.page("fan-out/")

    def test_what_was_sampled_is_drawn(self, desk: Desk) -> None:
        slot = current_slot() - BEHIND
        for number in range(10):
            queues = {"graph": 0, "fanout": 7, "bulk": 1_500, "maintenance": 1}
            figures = {"lag_p50_ms": 20.0, "lag_p99_ms": 300.0, "deliveries": 42.0 + number, "queues": queues}
            FigureSample.objects.create(slot=slot - 9 + number, figures=figures)
        page = desk.page("fan-out/")
        assert_harmless(page)
        assert page.count('<figure class="plot">') == 11
        assert "deliveries <strong>51</strong>" in page
        assert "p99 <strong>300 ms</strong>" in page
        assert "bulk <strong>1.5k</strong>" in page
        assert "timelines <strong>unknown</strong>" in page
        assert '<polyline class="line line-1"' in page
        assert "There are no figures" not in page

    def test_it_refreshes_itself_until_it_is_told_not_to(self, desk: Desk) -> None:
        assert '<meta http-equiv="refresh" content="10">' in desk.page("fan-out/")
        assert 'http-equiv="refresh"' not in desk.page("fan-out/", refresh="off")

    def test_old_figures_are_said_to_be_old(self, desk: Desk) -> None:
        FigureSample.objects.create(slot=current_slot() - 60, figures={"deliveries": 1.0})
        assert "seconds old: does beat run" in desk.page("fan-out/")
        FigureSample.objects.create(slot=current_slot() - BEHIND, figures={"deliveries": 1.0})
        assert "seconds old" not in desk.page("fan-out/")

    def test_six_hours_cost_one_query_and_a_bounded_page(self, desk: Desk) -> None:
        slot = current_slot() - BEHIND
        rows = (FigureSample(slot=slot - n, figures={"deliveries": float(n % 50)}) for n in range(2_160))
        FigureSample.objects.bulk_create(rows)
        for hours in ("1", "6"):
            with counted_sql("default") as sql:
                page = desk.page("fan-out/", hours=hours)
            assert len([statement for statement in sql if "figuresample" in statement]) == 1
            assert len(page) < 200_000

    @pytest.mark.parametrize("hours", ["0", "2", "-1", "9" * 60, "x", "٣", "<script>"])
    def test_other_hours_are_one(self, desk: Desk, hours: str) -> None:
        page = desk.page("fan-out/", hours=hours)
        assert "<strong>1 h</strong>" in page
        assert_harmless(page)

    def test_what_the_task_keeps_is_shown(self, desk: Desk) -> None:
        post(new_person())
        sample_figures()
        assert "open <strong>1</strong>" in desk.page("fan-out/")


class TestDeadLetters:
    def test_they_are_listed_newest_first_and_paged(self, desk: Desk) -> None:
        assert "There are none." in desk.page("dead-letters/")
        orders = [new_id() for _ in range(3)]
        for order in orders:
            dead_letters().bury(DeadLetter(Order(order, DELIVER, (order, 7)), f"Error of {order}", 5, now_us()))
        with patch.object(letters, "PAGE", 2):
            page = desk.page("dead-letters/")
            assert [str(order) in page for order in orders] == [False, True, True]
            assert page.index(str(orders[2])) < page.index(str(orders[1]))
            assert f"before={orders[1]}" in page
            page = desk.page("dead-letters/", before=orders[1])
            assert ([str(order) in page for order in orders], "before=" in page) == ([True, False, False], False)
        assert f'href="/admin/desk/tweets/{orders[2]}/"' in desk.page("dead-letters/")

    def test_replaying_opens_the_order_again_and_is_logged(self, desk: Desk) -> None:
        tweet = buried()
        assert open_orders() == []
        assert "Replayed" in desk.send("dead-letters/", order=tweet, action="replay", reason="It is mended.")
        assert [order.id for order in open_orders()] == [tweet]
        assert dead_letters().read(tweet) is None
        [entry] = StaffAction.objects.all()
        assert (entry.action, entry.subject_kind, entry.subject_id) == ("replay dead letter", "order", tweet)
        assert (entry.reason, entry.before["error"]) == ("It is mended.", "ValueError: a planted fault")

    def test_dropping_forgets_it_and_its_order_stays_done(self, desk: Desk) -> None:
        tweet = buried()
        assert "Dropped" in desk.send("dead-letters/", order=tweet, action="drop", reason="Nobody needs it.")
        assert (dead_letters().read(tweet), outbox().open_order(tweet)) == (None, None)
        assert StaffAction.objects.get().action == "drop dead letter"

    @on_one_store
    def test_bad_input_changes_nothing(self, desk: Desk) -> None:
        tweet = buried()
        for order in (*BAD_IDS, "", *XSS):
            assert "no such" in desk.send("dead-letters/", order=order, action="drop", reason="x")
        for action in ("", "delete", "<script>"):
            assert "no such action" in desk.send("dead-letters/", order=tweet, action=action, reason="x")
        for reason in ("", " ", "x" * 1_001, "\0"):
            assert "Dropped" not in desk.send("dead-letters/", order=tweet, action="drop", reason=reason)
        assert "no dead letter" in desk.send("dead-letters/", order=7, action="replay", reason="x")
        assert dead_letters().read(tweet) is not None
        assert not StaffAction.objects.exists()
        for place in BAD_IDS:
            assert desk.get("dead-letters/", before=place).status_code == 404

    @on_one_store
    def test_an_error_that_would_run_is_text(self, desk: Desk) -> None:
        for text in XSS:
            buried(text)
        assert_harmless(desk.page("dead-letters/"))

    @on_one_store
    @pytest.mark.parametrize("role", Role)
    def test_each_role_sees_and_may_what_it_may(self, role: Role) -> None:
        tweet = buried()
        desk, may = Desk(role), role in (Role.OPERATOR, Role.ADMINISTRATOR)
        page = desk.page("dead-letters/")
        assert ('value="replay"' in page, 'value="drop"' in page, 'name="reason"' in page) == (may, may, may)
        assert desk.page("fan-out/")
        if not may:
            for action in ("replay", "drop"):
                assert desk.refused("dead-letters/", order=tweet, action=action, reason="x") == 403
            assert dead_letters().read(tweet) is not None
