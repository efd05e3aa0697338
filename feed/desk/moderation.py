"""The queue of reports, and a case of it: what was reported, where it was said, what was decided before, deciding; and
restoring what was deleted for it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from accounts.models import User
from accounts.staff.roles import Right, may
from accounts.staff_rows import REASON_MAX
from feed.desk.attention import age
from feed.desk.lines import reason_in, viewer_of
from feed.desk.pages import DeskPage, desk_page
from feed.desk.reasons import SuspensionForm, errors_of
from feed.desk.restoring import RESTORED, deletion_of, restoring_of
from feed.models import Kind, Status, Verdict
from feed.moderation import deciding, queue
from feed.moderation.evidence import context_of, newest_tweets
from feed.moderation.queue import Target
from feed.operations import lookup
from storage.errors import NotFound, Refused, Unavailable
from storage.ids.snowflakes import MAX_ID, id_in
from tweets.writing.restoring import restore_tweet

ON_A_PAGE = 25


@desk_page
class QueuePage(DeskPage):
    """What waits, the longest first; a page at a time, from the place that `after` names."""

    route, name, title = "moderation/", "queue", "Queue of reports"
    right, section = Right.HANDLE_REPORTS, "Moderation"
    template_name = "desk/queue.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        place = id_in(request.GET.get("after", "")) or 0
        rows = queue.waiting(cast(User, request.user), after=place, limit=ON_A_PAGE + 1)
        shown = rows[:ON_A_PAGE]
        waiting = [(row, age(row.since), reverse("admin:desk_case", args=row.target)) for row in shown]
        following = shown[-1].oldest_id if len(rows) > ON_A_PAGE else None
        return self.shown({"waiting": waiting, "following": following})


@desk_page
class CasePage(DeskPage):
    """Everything that was reported of one target. Who has claimed it decides; others see that it is being worked on."""

    route, name, title = "moderation/<str:kind>/<id:target_id>/", "case", "Reported"
    right = Right.HANDLE_REPORTS
    template_name = "desk/case.html"

    ACTS: ClassVar[Mapping[str, str]] = {
        "claim": "_claim",
        "release": "_release",
        "decide": "_decide",
        "restore": "_restore",
    }

    def get(self, request: HttpRequest, kind: str, target_id: int) -> HttpResponseBase:
        target = _target(kind, target_id)
        person = queue.person_of(target, self.operator)
        reports = queue.reports_about(target, self.operator).select_related("reporter")
        waiting = reports.filter(status=Status.OPEN)
        shown = list(waiting[: queue.SHOWN])
        claim = queue.standing_claim(target)
        mine = claim is not None and claim.by_id == self.operator.pk
        context = {
            "title": f"Reported: {target.kind} {target.id}",
            "target": target,
            "person": person,
            "open": shown,
            "open_count": waiting.count() if len(shown) == queue.SHOWN else len(shown),
            "seen": shown[0].pk if shown else 0,
            "closed": list(reports.exclude(status=Status.OPEN)[: queue.SHOWN]),
            "decisions": queue.decisions_about(person.pk),
            "claim": claim,
            "mine": mine,
            "form": DecisionForm(self.operator, target) if mine else None,
        }
        return self.shown(context | _evidence(target, person, self.operator))

    def post(self, request: HttpRequest, kind: str, target_id: int) -> HttpResponseBase:
        act = self.ACTS.get(request.POST.get("act", ""))
        if act is None:
            return self.back("There is no such thing to do.", failed=True)
        try:
            answer: HttpResponseBase = getattr(self, act)(_target(kind, target_id))
        except Refused as error:
            return self.back(error.message, failed=True)
        return answer

    def _restore(self, target: Target) -> HttpResponseBase:
        """Reports and decisions stay as they are."""
        self.ask(Right.RESTORE_TWEETS)
        queue.person_of(target, self.operator)
        if target.kind != Kind.TWEET:
            return self.back("There is no such thing to do.", failed=True)
        restore_tweet(tweet_id=target.id, viewer=viewer_of(self.request), reason=reason_in(self.request))
        return self.back(RESTORED)

    @property
    def operator(self) -> User:
        return cast(User, self.request.user)

    def _claim(self, target: Target) -> HttpResponseBase:
        claim = deciding.claim(target, by=self.operator)
        return self.back(f"Yours until {claim.expires_at:%H:%M} UTC.")

    def _release(self, target: Target) -> HttpResponseBase:
        deciding.release(target, by=self.operator)
        return self.back("Others may take it.")

    def _decide(self, target: Target) -> HttpResponseBase:
        form, page = DecisionForm(self.operator, target, self.request.POST), PageForm(self.request.POST)
        if not form.is_valid():
            return self.back(errors_of(form), failed=True)
        if not page.is_valid():
            return self.back("Work on it first, and decide on its page.", failed=True)
        decision = deciding.decide(
            target,
            by=self.operator,
            **page.cleaned_data,
            verdict=form.cleaned_data["verdict"],
            note=form.cleaned_data["reason"],
            until=form.cleaned_data["until"],
        )
        return self.back(f"Decided: {decision.get_verdict_display()}.", to=reverse("admin:desk_queue"))


class DecisionForm(SuspensionForm):
    """What may be decided of this target by this operator; `until` is for a suspension."""

    verdict = forms.ChoiceField(widget=forms.RadioSelect)
    field_order = ("verdict", "until", "reason")

    def __init__(self, operator: User, target: Target, *args: Any) -> None:
        super().__init__(*args)
        offered = [
            (verdict.value, verdict.label)
            for verdict in Verdict
            if may(operator, deciding.RIGHTS[verdict]) and (verdict != Verdict.DELETE or target.kind == Kind.TWEET)
        ]
        cast(forms.ChoiceField, self.fields["verdict"]).choices = offered


class PageForm(forms.Form):
    """What the page was made with: the claim's token, and the newest report that it shows."""

    token = forms.CharField(max_length=32)
    seen = forms.IntegerField(min_value=1, max_value=MAX_ID)


def _target(kind: str, target_id: int) -> Target:
    if kind not in Kind.values:
        raise Http404
    return Target(Kind(kind), target_id)


def _evidence(target: Target, person: User, operator: User) -> dict[str, Any]:
    """A tweet where it was said, or what the person wrote lately; None where the store does not answer."""
    try:
        if target.kind == Kind.TWEET:
            return {"said": context_of(target.id)} | _deleted(target.id, operator)
        return {"tweets": newest_tweets(person.pk)}
    except Unavailable:
        return {"unanswered": True}


def _deleted(tweet_id: int, operator: User) -> dict[str, Any]:
    """By whom a tweet was deleted, and what is offered of it. Two store reads, and accounts."""
    try:
        found = lookup.sheet(tweet_id)
    except NotFound:
        return {}
    tweet = found.subject.tweet
    return {
        "deletion": deletion_of(tweet, found.deleter),
        "restoring": restoring_of(operator, tweet),
        "reason_max": REASON_MAX,
    }
