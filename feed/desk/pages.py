"""Pages of the desk that are no model's: how one is written, and how it comes into the menu.

    @desk_page
    class Letters(DeskPage):
        route, name, title = "dead-letters/", "dead_letters", "Dead letters"
        right, section = Right.VIEW_FANOUT, "Fan-out"
        template_name = "desk/dead_letters.html"          # extends "desk/page.html", fills its block content

        def get(self, request: HttpRequest) -> HttpResponseBase:
            return self.shown({"letters": dead_letters().page(limit=50)})

        def post(self, request: HttpRequest) -> HttpResponseBase:
            self.ask(Right.DROP_DEAD_LETTERS)             # an action asks for its own right
            ...
            return self.back("Dropped 1.")

It stands at `/admin/desk/<route>` under the name `admin:desk_<name>`; whoever has not the right gets 403, and no entry
of the menu. A page without a `section` has no entry: its route has arguments. `<id:tweet_id>` in a route is a
snowflake, nothing else matches. In its template `may` holds the rights of who looks: `{% if "delete_tweets" in may %}`;
what one may not do is not there, not just disabled. `feed/admin.py` imports the modules of pages.

Errors of services are told here: `NotFound` is the 404, `Forbidden` the 403; `Unavailable` becomes the page of
config/http/admin_limits.py.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import register_converter, reverse
from django.views import View

from accounts.staff.roles import Right, may, rights_of
from storage.errors import Forbidden, NotFound
from storage.ids.snowflakes import MAX_ID

PAGES: list[type["DeskPage"]] = []


class IdConverter:
    """A snowflake in a route; what is none, of whatever length, is no such page."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        if int(value) > MAX_ID:
            raise ValueError(value)
        return int(value)

    def to_url(self, value: int | str) -> str:
        return str(value)


register_converter(IdConverter, "id")


class DeskPage(View):
    """One page; `right` is what it takes to see it."""

    route: ClassVar[str]
    name: ClassVar[str]
    title: ClassVar[str]
    right: ClassVar[Right]
    section: ClassVar[str] = ""
    template_name: ClassVar[str]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.ask(self.right)
        try:
            return super().dispatch(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.message) from error
        except Forbidden as error:
            raise PermissionDenied(error.message) from error

    def ask(self, right: Right) -> None:
        """Raises `PermissionDenied` unless who asks has the right."""
        if not may(self.request.user, right):
            raise PermissionDenied

    def shown(self, context: Mapping[str, Any], *, status: int = 200, template: str = "") -> TemplateResponse:
        """Returns the page, or one in between of another template, with the menu around it."""
        around = {**admin.site.each_context(self.request), "title": self.title, "may": rights_of(self.request.user)}
        return TemplateResponse(self.request, template or self.template_name, {**around, **context}, status=status)

    def back(self, done: str, *, to: str = "", failed: bool = False) -> HttpResponseRedirect:
        """Sends to the page at `to`, this one by default, where `done` is read once."""
        messages.add_message(self.request, messages.ERROR if failed else messages.SUCCESS, done)
        return HttpResponseRedirect(to or self.request.get_full_path())


def desk_page(page: type[DeskPage]) -> type[DeskPage]:
    """Registers a page. Raises `ValueError` for a name that is taken."""
    if any(page.name == each.name for each in PAGES):
        raise ValueError(f"There is a page {page.name}.")
    PAGES.append(page)
    return page


def menu_of(request: HttpRequest) -> dict[str, list[dict[str, Any]]]:
    """Returns the entries of each section that who asks may see, in the form of the admin's list of models."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for page in PAGES:
        if page.section and may(request.user, page.right):
            entry = {
                "name": page.title,
                "object_name": f"Desk{page.__name__}",
                "admin_url": reverse(f"admin:desk_{page.name}"),
                "view_only": True,
                "perms": {"view": True},
            }
            sections.setdefault(page.section, []).append(entry)
    return sections
