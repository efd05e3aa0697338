"""The desk: the admin site of those who moderate and operate, with a start page that says what needs them now.

It is Django's own admin (docs/adr/039-the-desk.md): `admin.site` is this one (config/apps.py), so packages register
their models as anywhere, and pages without a model stand beside them (desk/pages.py). Whoever comes in has proved
themselves by a password and, with STAFF_TWO_STEP, by a second step (desk/signing_in.py).
"""

from typing import Any, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.text import slugify
from django.views.decorators.csrf import csrf_protect

from accounts.models import User
from accounts.staff.roles import rights_of
from feed.desk import signing_in
from feed.desk.attention import needs_attention
from feed.desk.pages import PAGES, menu_of

SECTIONS = ("Moderation", "People", "Tweets", "Timelines", "Fan-out", "Staff")
"""Their order in the menu; others follow by name."""
SECTION_OF = {"StaffAction": "Staff", "Group": "Staff"}
"""Of models that stand elsewhere than their app does."""


class DeskSite(AdminSite):
    site_header = site_title = "Feed desk"
    index_title = "What needs attention"
    index_template = "desk/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Says whether who asks is staff and, where two steps are asked for, has made both in this session."""
        return super().has_permission(request) and signing_in.has_made_every_step(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Returns our pages before Django's. Leaving is open to who has made one step of two, which Django's is not."""
        pages: list[URLPattern | URLResolver] = [
            path(f"desk/{page.route}", self.admin_view(page.as_view()), name=f"desk_{page.name}") for page in PAGES
        ]
        leaving = path("logout/", csrf_protect(self.logout), name="logout")
        return [leaving, *signing_in.routes(), *pages, *super().get_urls()]

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
        """Returns the menu: our pages, and the models that Django lists, in the sections that they belong to."""
        listed = super().get_app_list(request, app_label)
        if app_label is not None or not self.has_permission(request):
            return listed
        entries = menu_of(request)
        for app in listed:
            for model in app["models"]:
                entries.setdefault(SECTION_OF.get(model["object_name"], app["name"]), []).append(model)
        return sorted((_section(name, each) for name, each in entries.items()), key=_place)


def _section(name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """A section in the form of the admin's menu; its heading leads to the first of its entries."""
    return {
        "name": name,
        "app_label": slugify(name),
        "app_url": entries[0]["admin_url"] or reverse("admin:index"),
        "has_module_perms": True,
        "models": entries,
    }


def _place(section: dict[str, Any]) -> tuple[int, str]:
    name = str(section["name"])
    return (SECTIONS.index(name) if name in SECTIONS else len(SECTIONS), name)
