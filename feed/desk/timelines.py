"""Home timelines on the desk: anyone's as they see it, why a tweet is (not) in it, an audit of it, making it anew."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from accounts.entities import Account
from accounts.people.selectors import find_account, get_user
from accounts.staff.roles import Right
from accounts.staff_rows import REASON_MAX
from fanout.timelines.inspection import Inspection
from feed.desk.attention import age
from feed.desk.lines import operator_of, person_line, place_in, reason_in, tweet_line
from feed.desk.pages import DeskPage, desk_page
from feed.operations import homes, lookup
from feed.operations.audit import ORDERS_READ_BY_A_PAGE
from feed.operations.explain import explain
from feed.operations.homes import may_look_at
from storage.errors import NotFound, Refused
from storage.ids.snowflakes import created_at, id_time, make_id


class TimelinePage(DeskPage):
    """A page about one person's home."""

    def reader(self, request: HttpRequest, person_id: int) -> Account:
        """Returns the person. Raises `NotFound`, and `PermissionDenied` for staff, who are superusers' to look at."""
        person = get_user(person_id)
        if not may_look_at(person, by=operator_of(request)):
            raise PermissionDenied
        return person.account


@desk_page
class FindTimelines(TimelinePage):
    route, name, title = "timelines/", "timelines", "Home timelines"
    right, section = Right.VIEW_TIMELINES, "Timelines"
    template_name = "desk/timelines.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.GET.get("reader", "").strip()
        if not asked:
            return self.shown({"asked": asked})
        try:
            reader = find_account(asked.removeprefix("@"))
        except NotFound as error:
            return self.shown({"asked": asked, "error": error.message}, status=422)
        return HttpResponseRedirect(reverse("admin:desk_timeline", args=[reader.id]))


@desk_page
class OneTimeline(TimelinePage):
    route, name, title = "timelines/<id:reader_id>/", "timeline", "Home timeline"
    right = Right.VIEW_TIMELINES
    template_name = "desk/timeline.html"

    def get(self, request: HttpRequest, reader_id: int) -> HttpResponseBase:
        return self._page(request, self.reader(request, reader_id))

    def _page(self, request: HttpRequest, reader: Account, audit: dict[str, Any] | None = None) -> HttpResponseBase:
        home = homes.home_of(reader, before=place_in(request))
        entries = [
            {"tweet": tweet_line(each.entry), "way": each.way.value, "shown": each.shown} for each in home.entries
        ]
        return self.shown(
            {
                "title": f"Home of @{reader.username}",
                "reader": person_line(reader.id, reader),
                "timeline": _timeline_line(home.timeline) if home.timeline is not None else None,
                "entries": entries,
                "older": home.older,
                "audit": audit,
                "reason_max": REASON_MAX,
            }
        )

    def post(self, request: HttpRequest, reader_id: int) -> HttpResponseBase:
        reader = self.reader(request, reader_id)
        if "audit" in request.POST:
            return self._audit(request, reader)
        self.ask(Right.REBUILD_TIMELINES)
        try:
            made = homes.rebuild(reader, by=operator_of(request), reason=reason_in(request))
        except Refused as error:
            return self.back(error.message, failed=True)
        if not made:
            return self.back(
                "It was overtaken, by its reader or by a change of whom they follow. Try again.", failed=True
            )
        return self.back(f"The home timeline of @{reader.username} was made anew from the store.")

    def _audit(self, request: HttpRequest, reader: Account) -> HttpResponseBase:
        """It changes nothing, and is no GET: it takes a moment, which no link or image may cost."""
        try:
            return self._page(request, reader, _audit(reader))
        except Refused as error:
            return self.back(error.message, failed=True)


@desk_page
class Explain(TimelinePage):
    route, name, title = "explain/", "explain", "Why is it (not) there?"
    right, section = Right.VIEW_TIMELINES, "Timelines"
    template_name = "desk/explain.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        asked = {name: request.GET.get(name, "").strip() for name in ("reader", "tweet")}
        if not all(asked.values()):
            return self.shown({"asked": asked})
        try:
            account = find_account(asked["reader"].removeprefix("@"))
            tweet_id = lookup.referred_to(asked["tweet"])
        except (Refused, NotFound) as error:
            return self.shown({"asked": asked, "error": error.message}, status=422)
        reader, by = self.reader(request, account.id), operator_of(request)
        explanation = explain(reader, tweet_id, by=by, orders_read=ORDERS_READ_BY_A_PAGE)
        return self.shown(
            {
                "asked": asked,
                "explanation": explanation,
                "reader": person_line(account.id, account),
                "tweet_id": tweet_id,
            }
        )


def _timeline_line(found: Inspection) -> dict[str, Any]:
    """What a timeline says of itself, for people."""
    shard = {"shard": found.shard, "generation": found.generation, "settled": _time(found.settled)}
    graph = {
        "state": found.state,
        "graph_version": _time(found.graph_version) if found.graph_version else "never changed",
    }
    if found.trailer is None:
        return {**shard, **graph}
    opened = id_time(make_id(found.trailer.opened_us, 0))
    return {
        **shard,
        **graph,
        "entries": found.entries,
        "floor": _time(found.trailer.floor) if found.trailer.floor else "none: it holds everything",
        "opening": found.trailer.opening,
        "token": found.trailer.token.hex(),
        "size": found.size,
        "age": age(opened),
        "opened": created_at(make_id(found.trailer.opened_us, 0)),
        "days_left": round(found.seconds_left / 86_400, 1),
        "merged": len(found.merge_set),
    }


def _time(snowflake: int) -> str:
    return f"{snowflake} ({created_at(snowflake)})" if snowflake else "none"


def _audit(reader: Account) -> dict[str, Any]:
    report, findings = homes.audited(reader)
    return {
        "inactive": report.inactive,
        "clean": report.clean,
        "unread": ORDERS_READ_BY_A_PAGE if report.unread else None,
        "differences": [each for finding in findings for each in finding.differences],
        "pending": [each for finding in findings for each in finding.pending],
    }
