"""Fan-out on the desk: a dashboard of the last hours that refreshes itself, and the orders that were given up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from accounts.staff.roles import Right
from accounts.staff_rows import REASON_MAX
from feed.desk.lines import operator_of, place_in, reason_in
from feed.desk.pages import DeskPage, desk_page
from feed.desk.plots import Points, Span, plot
from feed.operations import figures, letters
from feed.operations.breakers import breakers
from feed.operations.figures import QUEUES, Sample
from storage.ids.snowflakes import MAX_ID, created_at, id_in, make_id
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
        """Does so with one order whose reason is given beside it, or with several once their count was confirmed."""
        action = ACTIONS.get(request.POST.get("action", ""))
        if action is None:
            return self.back("There is no such action.", failed=True)
        self.ask(action.right)
        several = request.POST.get("several")
        chosen = [id_in(each) or 0 for each in request.POST.getlist("page" if "all" in request.POST else "order")]
        if not chosen or len(chosen) > letters.PAGE or not all(chosen):
            return self.back(f"Choose from the list, {letters.PAGE} at most: there is no such order.", failed=True)
        orders = list(dict.fromkeys(chosen))
        if several == "chosen":
            return self._confirmation(orders, action)
        done, fault = letters.each(orders, action.do, by=operator_of(request), reason=reason_in(request))
        if fault and not done:
            return self.back(fault, failed=True)
        told = f"{action.done} ({_numbers(done)})"
        if fault:
            told = f"{told} Then it stopped: {fault} Left as they are: {_numbers(orders[len(done) :])}."
        return self.back(told, failed=bool(fault))

    def _confirmation(self, orders: Sequence[int], action: "Action") -> HttpResponseBase:
        """Says first how many there are, and of what kinds."""
        found = letters.read(orders)
        kinds = Counter(each.order.kind for each in found)
        shown = {"title": action.label, "action": action, "letters": [_letter(each) for each in found]}
        counted = {"count": len(found), "kinds": sorted(kinds.items()), "gone": len(orders) - len(found)}
        return self.shown({**shown, **counted, "reason_max": REASON_MAX}, template="desk/confirm_letters.html")


class Action(msgspec.Struct, frozen=True):
    """What may be done with dead letters, by right."""

    name: str
    label: str
    done: str
    right: Right
    do: letters.Act


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "replay",
            "Replay: open their orders again",
            "Replayed: the sweeper sends what is open within seconds.",
            Right.REPLAY_DEAD_LETTERS,
            letters.replay,
        ),
        Action("drop", "Drop: leave it undone", "Dropped: it stays undone.", Right.DROP_DEAD_LETTERS, letters.drop),
    )
}


def _numbers(orders: Sequence[int]) -> str:
    return f"order{'s' if len(orders) > 1 else ''} {', '.join(map(str, orders))}"


def _letter(letter: DeadLetter) -> dict[str, object]:
    order = letter.order
    of_a_tweet = order.kind in ("deliver", "tell", "retract", "restore", "withhold-retweets") and bool(order.args)
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
    connected = {"people": line(lambda s: s.connected), "sockets": line(lambda s: s.sockets)}
    yield plot("Connected", connected, span)
    yield plot("Frames to sockets a second", {"frames": line(lambda s: s.frames)}, span)
    yield plot("Open breakers, where figures are taken", {name: line(breaker_of(name)) for name in breakers()}, span)


def _with_gaps(found: Sequence[Sample], of: Callable[[Sample], float | None]) -> Iterator[tuple[int, float | None]]:
    """The samples' values, each the greatest of those that share a point; nothing where samples are missing."""
    together = max(1, -(-len(found) // POINTS))
    for start in range(0, len(found), together):
        some = found[start : start + together]
        if start and some[0].slot - found[start - 1].slot > 2:
            yield found[start - 1].at + SLOT_SECONDS, None
        values = [value for value in map(of, some) if value is not None]
        yield some[0].at, max(values, default=None)
