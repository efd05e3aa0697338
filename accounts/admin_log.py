"""The log of what staff did, in Django admin: found by index alone, and changed by nobody."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.admin_lists import ENDS, LongList, operator_of
from accounts.models import User
from accounts.staff import log
from accounts.staff.roles import Right, may
from accounts.staff_rows import StaffAction
from storage.ids.snowflakes import id_in


class ActionFilter(admin.SimpleListFilter):
    title = parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[StaffAction]") -> list[tuple[str, str]]:
        return [(action, action.capitalize()) for action in log.ACTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAction]) -> QuerySet[StaffAction]:
        return queryset if self.value() is None else queryset.filter(action=self.value())


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = "subject", "subject_kind"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[StaffAction]") -> list[tuple[str, str]]:
        return [(kind, kind.capitalize()) for kind in log.KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAction]) -> QuerySet[StaffAction]:
        return queryset if self.value() is None else queryset.filter(subject_kind=self.value())


class StaffLog(LongList):
    """The log of what staff did: to be read, and nothing else; what concerns staff, by superusers (staff/log.py)."""

    list_display = ("at", "by_name", "action", "subject_kind", "subject_id", "reason")
    list_filter = (ActionFilter, KindFilter)
    search_fields = ("subject_id",)
    search_help_text = f"The id of a person, tweet or report; the name of who did it; a request's id. {ENDS}"
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffAction]:
        return log.entries_for(operator_of(request)).order_by(*self.ordering)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StaffAction], search_term: str
    ) -> tuple[QuerySet[StaffAction], bool]:
        """Finds what is exactly so, each by an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(by=None) if term == log.BY_ITSELF else Q(request_id=term)
        if (person := User.objects.with_username(term.removeprefix("@")).first()) is not None:
            wanted |= Q(by=person)
        if (subject_id := id_in(term)) is not None:
            wanted |= Q(subject_kind__in=log.KINDS, subject_id=subject_id)
        return queryset.filter(wanted), False

    def has_view_permission(self, request: HttpRequest, obj: StaffAction | None = None) -> bool:
        return may(request.user, Right.VIEW_STAFF_LOG)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.VIEW_STAFF_LOG)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StaffAction | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StaffAction | None = None) -> bool:
        return False
