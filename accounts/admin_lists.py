"""Lists of Django admin that stay quick over many millions of rows, and say so where they end."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property

from accounts.models import User
from storage.ids.snowflakes import id_in

LISTED = 1_000
ENDS = f"A list has its first {LISTED:,} rows."


class FirstRows(Paginator):  # type: ignore[type-arg]
    """Pages of a list's first LISTED rows, which are counted and no others: a count of all people takes minutes."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        return rows.order_by().values("pk")[:LISTED].count()


class UnsortedList(ChangeList):
    """A list in its own order, whatever the address says: by another column all rows would be sorted."""

    def get_ordering_field(self, field_name: Any) -> None:
        """Returns nothing to sort by."""
        return


class LongList(admin.ModelAdmin):  # type: ignore[type-arg]
    """Mixed in where there are very many rows: of each page the cost is that of the first LISTED, in their order."""

    paginator = FirstRows
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ("-id",)

    def get_sortable_by(self, request: HttpRequest) -> tuple[str, ...]:
        return ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UnsortedList


class ChosenByIds(admin.ModelAdmin):  # type: ignore[type-arg]
    """Mixed in where rows are chosen for an action: what is no id is said to be none, and breaks no page."""

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if all(id_in(each) is not None for each in chosen):
            return super().response_action(request, queryset, *args)
        self.message_user(request, "Choose from the list.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())


def operator_of(request: HttpRequest) -> User:
    """Returns who is signed in to the admin; its views let nobody else in."""
    return cast(User, request.user)
