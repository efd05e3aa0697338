"""Fan-out on the desk: a dashboard of the last hours that refreshes itself, and the orders that were given up."""

import time
from collections.abc import Callable, Iterator, Sequence

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from accounts.models import REASON_MAX
from accounts.staff.roles import Right
from feed.desk.lines import operator_of, place_in, reason_in
from feed.desk.pages import DeskPage, desk_page
from feed.desk.plots import Points, Span, plot
from feed.operations import figures, letters
from feed.operations.figures import BREAKERS, QUEUES, Sample
from storage.errors import NotFound, Refused
from storage.ids.snowflakes import MAX_ID, created_at, make_id
from storage.ports.dead_letters import DeadLetter
from storage.redis.tallies import SLOT_SECONDS

REFRESH_SECONDS = 10
HOURS = (1, 3, 6)
"""What can be looked back on; 6 are kept."""
POINTS = 360
"""Of a line at most: one each ten seconds of an hour, each minute of six."""


@desk_page
class Dashboard(DeskPage):
    route, name, title = "fan-out/", "fanout", "Dashboard"
    right, section = Right.VIEW_FANOUT, "Fan-out"
    template_name = "desk/fanout.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.GET.get("hours", "")
        hours = int(asked) if asked in {str(each) for each in HOURS} else HOURS[0]
        found = figures.samples(hours * 3600)
        now = int(time.time())
        plots = list(_plots(found, Span(now - hours * 3600, now)))
        refresh = None if request.GET.get("refresh") == "off" else REFRESH_SECONDS
        return self.shown(
            {
                "plots": plots,
                "hours": hours,
                "choices": HOURS,
                "refresh": refresh,
                "last": found[-1] if found else None,
                "behind": now - found[-1].at if found else None,
            }
        )


@desk_page
class DeadLetters(DeskPage):
    route, name, title = "dead-letters/", "dead_letters", "Dead letters"
    right, section = Right.VIEW_FANOUT, "Fan-out"
    template_name = "desk/dead_letters.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        page, older = letters.letters_page(before=place_in(request) or MAX_ID)
        return self.shown({"letters": [_letter(each) for each in page], "older": older, "reason_max": REASON_MAX})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        given, action = request.POST.get("order", ""), request.POST.get("action")
        act = {"replay": letters.replay, "drop": letters.drop}.get(action or "")
        if act is None or not _is_id(given):
            return self.back("There is no such action, or no such order.", failed=True)
        self.ask(Right.REPLAY_DEAD_LETTERS if action == "replay" else Right.DROP_DEAD_LETTERS)
        try:
            act(int(given), by=operator_of(request), reason=reason_in(request))
        except (Refused, NotFound) as error:
            return self.back(error.message, failed=True)
        done = "Replayed: the sweeper sends it within seconds." if action == "replay" else "Dropped: it stays undone."
        return self.back(f"{done} (order {given})")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID)) and 0 < int(text) <= MAX_ID


def _letter(letter: DeadLetter) -> dict[str, object]:
    order = letter.order
    of_a_tweet = order.kind in ("deliver", "retract", "restore", "withhold-retweets") and bool(order.args)
    return {
        "id": order.id,
        "kind": order.kind,
        "args": order.args,
        "tweet": reverse("admin:desk_tweet", args=[order.args[0]]) if of_a_tweet and order.args[0] > 0 else "",
        "error": letter.error,
        "attempts": letter.attempts,
        "born": created_at(order.id),
        "died": created_at(make_id(letter.died_us, 0)),
    }


def _plots(found: Sequence[Sample], span: Span) -> Iterator[str]:
    def line(of: Callable[[Sample], float | None]) -> Points:
        return list(_with_gaps(found, of))

    def queue_of(name: str) -> Callable[[Sample], float | None]:
        return lambda sample: sample.queues.get(name) if sample.queues is not None else None

    def breaker_of(name: str) -> Callable[[Sample], float | None]:
        return lambda sample: float(name in sample.open_breakers)

    yield plot("Lag", {"p50": line(lambda s: s.lag_p50_ms), "p99": line(lambda s: s.lag_p99_ms)}, span, unit=" ms")
    per_second = {"deliveries": line(lambda s: s.deliveries), "entries": line(lambda s: s.entries)}
    yield plot("Deliveries a second", per_second, span)
    yield plot("Queues", {name: line(queue_of(name)) for name in QUEUES}, span)
    yield plot("Outbox: open orders", {"open": line(lambda s: s.open_orders)}, span)
    yield plot("Outbox: age of the oldest", {"oldest": line(lambda s: s.oldest_open_seconds)}, span, unit=" s")
    yield plot("Dead letters", {"dead": line(lambda s: s.dead_letters)}, span)
    yield plot("Active timelines", {"timelines": line(lambda s: s.timelines)}, span)
    share = line(lambda s: None if s.hit_share is None else 100 * s.hit_share)
    yield plot("Home pages served as found", {"hits": share}, span, unit=" %")
    yield plot("People connected", {"connected": line(lambda s: s.connected)}, span)
    yield plot("Open breakers, where figures are taken", {name: line(breaker_of(name)) for name in BREAKERS}, span)


def _with_gaps(found: Sequence[Sample], of: Callable[[Sample], float | None]) -> Iterator[tuple[int, float | None]]:
    """The samples' values, each the greatest of those that share a point; nothing where samples are missing."""
    together = max(1, -(-len(found) // POINTS))
    for start in range(0, len(found), together):
        some = found[start : start + together]
        if start and some[0].slot - found[start - 1].slot > 2:
            yield found[start - 1].at + SLOT_SECONDS, None
        values = [value for value in map(of, some) if value is not None]
        yield some[0].at, max(values, default=None)
