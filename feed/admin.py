"""Reports in Django admin: read them, note what was done, close them. Nobody writes or deletes one here."""

from datetime import datetime

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from accounts.admin import operator_of
from feed.models import Report
from feed.moderation.reports import close_report
from storage.ids.snowflakes import id_time


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("made_at", "about", "tweet_id", "reason", "reporter", "status", "closed_by")
    list_filter = ("status", "reason")
    list_select_related = ("reporter", "person", "closed_by")
    search_fields = ("=tweet_id", "=person__username", "=reporter__username")
    search_help_text = "A tweet's id or a username"
    show_full_result_count = False
    ordering = ("-id",)
    actions = ("close",)
    fields = ("made_at", "about", "tweet_id", "reason", "comment", "reporter", "status", "closed_by", "note")
    readonly_fields = tuple(field for field in fields if field != "note")

    @admin.display(description="made", ordering="id")
    def made_at(self, report: Report) -> datetime:
        return id_time(report.id)

    @admin.display(description="about")
    def about(self, report: Report) -> str:
        """Returns a link to the person, who can be suspended from there."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[report.person_id]), report.person
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        return False

    @admin.action(description="Close: dealt with", permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        reports = list(queryset)
        for report in reports:
            close_report(report, by=operator_of(request))
            self.log_change(request, report, "Closed.")
        self.message_user(request, f"Closed: {len(reports)}.", messages.SUCCESS)
