"""Who has left, on the desk: how far erasing them has come, and having it go on."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.staff.roles import Right
from accounts.staff_rows import REASON_MAX
from fanout.orders.dispatch import dispatcher
from feed.desk.lines import operator_of, reason_in
from feed.desk.pages import DeskPage, desk_page
from feed.leaving import standing
from storage.errors import NotFound, Refused
from storage.ids.snowflakes import id_in


@desk_page
class Leavers(DeskPage):
    route, name, title = "leaving/", "leaving", "Leaving"
    right, section = Right.VIEW_PEOPLE, "People"
    template_name = "desk/leaving.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.shown({"leavers": standing.leavers(), "reason_max": REASON_MAX})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Has erasing one of them go on."""
        self.ask(Right.HASTEN_LEAVING)
        try:
            order = standing.hasten(
                id_in(request.POST.get("person", "")) or 0, by=operator_of(request), reason=reason_in(request)
            )
        except (Refused, NotFound) as error:
            return self.back(error.message, failed=True)
        dispatcher.send(order)
        return self.back("It goes on as soon as a worker takes it.")
