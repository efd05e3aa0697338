"""Moderation in Django admin: reports, and what people wrote, whoever is suspended.

Reports are read and noted here, never written or deleted; only a decision closes them (feed/desk/moderation.py).
Those about staff are superusers' to read, as staff themselves are (accounts/admin.py): nobody learns who said it.
"""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from accounts.admin import PersonAdmin
from accounts.admin_lists import ENDS, ChosenByIds, LongList, UnsortedList, operator_of
from accounts.models import User, privileged
from accounts.staff.roles import Right, may
from feed.desk import fan_out, leaving, moderation, people, timelines, tweets
from feed.desk.bulk import BulkActs
from feed.models import Report
from feed.moderation.evidence import TweetOut, newest_tweets, tweet_for_staff
from feed.moderation.reports import note_report
from storage.errors import Unavailable
from storage.ids.snowflakes import id_in, id_time

PAGES = (moderation, people, leaving, tweets, timelines, fan_out)
"""Modules of pages: imported, they are on the desk."""
UNANSWERED = "The store does not answer; try again in a moment."

admin.site.unregister(User)


class LeadingToPages(UnsortedList):
    def url_for_result(self, result: Model) -> str:
        return reverse("admin:desk_person", args=[result.pk])


@admin.register(User)
class PersonWithTweetsAdmin(BulkActs, PersonAdmin):
    """People, who lead to their pages on the desk, and acts on several of them; a profile with what they wrote."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LeadingToPages

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> list[Any]:
        given = super().get_fieldsets(request, obj)
        return [*given] if obj is None else [*given, ("Tweets", {"fields": ("newest_tweets",)})]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return () if obj is None else (*super().get_readonly_fields(request, obj), "newest_tweets")

    @admin.display(description="newest tweets")
    def newest_tweets(self, person: User) -> str:
        try:
            tweets = newest_tweets(person.id)
        except Unavailable:
            return UNANSWERED
        return format_html_join(mark_safe("<br>"), "{}", ((_line(tweet),) for tweet in tweets)) or "None."


@admin.register(Report)
class ReportAdmin(LongList, ChosenByIds):
    list_display = ("made_at", "about", "tweet_id", "reason", "reporter", "status", "closed_by")
    list_filter = ("status", "reason")
    list_select_related = ("reporter", "person", "closed_by")
    search_fields = ("tweet_id",)
    search_help_text = f"A tweet's id or a username. {ENDS}"
    fields = ("made_at", "about", "tweet_id", "tweet", "reason", "comment", "reporter", "status", "closed_by", "note")
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

    @admin.display(description="tweet")
    def tweet(self, report: Report) -> str:
        """Returns what it says now."""
        if report.tweet_id is None:
            return "-"
        try:
            found = tweet_for_staff(report.tweet_id)
        except Unavailable:
            return UNANSWERED
        return _line(found) if found is not None else "Deleted."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        reports: QuerySet[Report] = super().get_queryset(request)
        return reports if operator_of(request).is_superuser else reports.exclude(privileged("person__"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Report], search_term: str
    ) -> tuple[QuerySet[Report], bool]:
        """Finds what is exactly so, by indexes: reports of a tweet, or about and by whoever has that name."""
        term = search_term.strip()
        if not term:
            return queryset, False
        named = User.objects.with_username(term.removeprefix("@"))
        wanted = Q(person__in=named) | Q(reporter__in=named)
        if (tweet_id := id_in(term)) is not None:
            wanted |= Q(tweet_id=tweet_id)
        return queryset.filter(wanted), False

    def save_model(self, request: HttpRequest, obj: Report, form: Any, change: bool) -> None:
        note_report(obj, form.initial.get("note", ""), by=operator_of(request))

    def has_view_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        return may(request.user, Right.HANDLE_REPORTS)

    def has_change_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        return may(request.user, Right.HANDLE_REPORTS)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.HANDLE_REPORTS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        return False


def _line(tweet: TweetOut) -> str:
    """Returns a tweet as one line of text; a retweet with whose it is."""
    retweeted = f"retweets @{tweet.retweet_of.author.username}: " if tweet.retweet_of is not None else ""
    return f"{tweet.created_at} · {tweet.id} · {retweeted}{tweet.text}"
