"""The desk as staff of each role see it: its routes from the URLconf, and something to stand in each of them."""

import re
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from accounts.staff import log
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.models import Decision, Reason, Report
from feed.moderation import deciding
from feed.moderation.queue import Target
from storage.ids.snowflakes import MAX_ID
from tests.integration.accounts.admins import signed_in
from tests.integration.tweeting import post
from tests.people import make_roles, new_person, new_staff

CALLERS = ("nobody", "person", *(str(role) for role in Role), "superuser")


def desk_routes() -> Iterator[str]:
    """Every address of the admin, with names for its arguments; not the catch-all of what is nowhere."""
    [admin] = [each for each in get_resolver().url_patterns if getattr(each, "app_name", None) == "admin"]
    assert isinstance(admin, URLResolver)
    yield from _routes(admin, "/admin/")


def _routes(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for each in resolver.url_patterns:
        path = prefix + _named(str(each.pattern))
        if isinstance(each, URLResolver):
            yield from _routes(each, path)
        elif isinstance(each, URLPattern) and "{url}" not in path:
            yield path


def _named(pattern: str) -> str:
    by_path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", pattern)
    return re.sub(r"\(\?P\{(\w+)\}[^)]*\)", r"{\1}", by_path).lstrip("^").rstrip("$")


class Desk:
    """What is there to be looked at: somebody who was reported, their tweet, an entry of the log, a group."""

    def __init__(self) -> None:
        make_roles()
        self.author, reporter = new_person("loud_author"), new_person("upset_reporter")
        self.tweet = post(self.author, "rude words")
        for tweet in (self.tweet, None):
            Report.objects.create(reporter=reporter, person=self.author, tweet_id=tweet, reason=Reason.ABUSE)
        log.record(by=reporter, action="look", subject=log.tweet(self.tweet, self.author.pk))
        self.objects = {
            "/admin/accounts/user/": self.author.pk,
            "/admin/accounts/staffaction/": StaffAction.objects.get().pk,
            "/admin/auth/group/": Group.objects.get(name="viewer").pk,
            "/admin/feed/report/": Report.objects.latest("pk").pk,
        }

    def path(self, route: str) -> str:
        """The address with arguments that are there."""
        object_id = next((pk for prefix, pk in self.objects.items() if route.startswith(prefix)), self.author.pk)
        return route.format(
            object_id=object_id,
            id=object_id,
            user_id=self.author.pk,
            reader_id=self.author.pk,
            tweet_id=self.tweet,
            target_id=self.tweet,
            order_id=self.tweet,
            kind="tweet",
            app_label="accounts",
            content_type_id=1,
        )


def caller(name: str) -> User | None:
    if name in ("nobody", "person"):
        return None if name == "nobody" else new_person()
    return new_person(staff=True) if name == "superuser" else new_staff(Role(name))


def client_of(name: str) -> Client:
    """A browser in which that caller has tried to sign in."""
    who = caller(name)
    if who is None:
        return Client()
    if name == "person":
        client = Client()
        client.force_login(who)
        return client
    return signed_in(who)


def carried_by(page: str) -> dict[str, str]:
    """What a case's form has of its page besides what is typed; nothing for who has not claimed it."""
    return dict(re.findall(r'name="(token|seen)" value="(\w+)"', page))


def decide(target: Target, *, by: User, **decision: Any) -> Decision:
    """Claims the target and decides about all that was reported of it by now."""
    token = deciding.claim(target, by=by).token
    return deciding.decide(target, by=by, token=token, seen=MAX_ID, **decision)
