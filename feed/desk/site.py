"""The desk: the admin site of those who moderate and operate, with a start page that says what needs them now.

It is Django's own admin (docs/adr/038-the-desk.md): `admin.site` is this one (config/apps.py), so packages register
their models as anywhere, and pages without a model stand beside them (desk/pages.py). Whoever comes in has proved
themselves by a password and, with STAFF_TWO_STEP, by a second step (desk/signing_in.py).
"""

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from accounts.models import User
from accounts.staff.roles import rights_of
from feed.desk import signing_in
from feed.desk.attention import needs_attention
from feed.desk.pages import PAGES, menu_of

SECTIONS = ("Moderation", "People", "Tweets", "Timelines", "Fan-out", "Staff")
"""Their order in the menu; others follow by name."""


class DeskSite(AdminSite):
    site_header = site_title = "Feed desk"
    index_title = "What needs attention"
    index_template = "desk/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Says whether who asks is staff and, where two steps are asked for, has made both in this session."""
        return super().has_permission(request) and signing_in.has_made_every_step(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        pages: list[URLPattern | URLResolver] = [
            path(f"desk/{page.route}", self.admin_view(page.as_view()), name=f"desk_{page.name}") for page in PAGES
        ]
        return [*signing_in.routes(), *pages, *super().get_urls()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Asks for a password; whom it was asked of already, and who has the second step before them, for that."""
        if request.method == "GET" and super().has_permission(request) and not self.has_permission(request):
            return signing_in.sent_to_the_second_step(request)
        return super().login(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        rights = rights_of(request.user)
        return super().index(
            request,
            {"needs": needs_attention(cast(User, request.user), rights), "may": rights, **(extra_context or {})},
        )

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Returns the menu: what Django lists, and our pages in the sections that they name."""
        listed = super().get_app_list(request, app_label)
        if app_label is not None or not self.has_permission(request):
            return listed
        sections = {section["name"]: section for section in listed}
        for name, entries in menu_of(request).items():
            if name in sections:
                sections[name]["models"] = [*entries, *sections[name]["models"]]
            else:
                sections[name] = _section(name, entries)
        return sorted(sections.values(), key=_place)


def _section(name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """A section of pages alone; its heading leads to the first of them."""
    return {
        "name": name,
        "app_label": name.lower(),
        "app_url": entries[0]["admin_url"],
        "has_module_perms": True,
        "models": entries,
    }


def _place(section: dict[str, Any]) -> tuple[int, str]:
    name = str(section["name"])
    return (SECTIONS.index(name) if name in SECTIONS else len(SECTIONS), name)
