"""Whom somebody follows, and who follows them, on the desk: the newest first, a page after the other."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Account
from accounts.graph.kinds import FOLLOW
from accounts.models import User, privileged
from accounts.people.selectors import get_user
from accounts.sql import sql_or_unavailable
from accounts.staff.roles import Right, may_touch
from feed.desk.lines import operator_of, person_line, place_in
from feed.desk.pages import DeskPage, desk_page
from storage.ids.snowflakes import created_at
from storage.stores import associations

PAGE = 20


class Neighbour(msgspec.Struct, frozen=True):
    """Somebody at the other end of a follow, by its operation."""

    op: int
    account: Account


class Neighbours(msgspec.Struct, frozen=True):
    """A page, shorter by whom one may not see; `older` is the place below which the next begins, None at the end."""

    people: list[Neighbour]
    older: int | None


def followers(person_id: int, operator: User, *, before: int | None = None) -> Neighbours:
    """Returns who followed last, below a place: suspended people as well, staff for superusers only.

    A store read, one SQL query and the accounts. Raises `Unavailable`.
    """
    edges = associations().newest_sources(person_id, FOLLOW, before=before, limit=PAGE + 1)
    return _page([(edge.op, edge.source) for edge in edges], operator)


def followees(person_id: int, operator: User, *, before: int | None = None) -> Neighbours:
    """Returns the same of whom they followed last."""
    edges = associations().newest_targets(person_id, FOLLOW, before=before, limit=PAGE + 1)
    return _page([(edge.op, edge.target) for edge in edges], operator)


@sql_or_unavailable()
def _page(found: Sequence[tuple[int, int]], operator: User) -> Neighbours:
    page = found[:PAGE]
    ids = [person_id for _, person_id in page]
    hidden = set() if operator.is_superuser else _staff_among(ids)
    accounts = accounts_by_id(ids)
    people = [Neighbour(op, accounts[each]) for op, each in page if each in accounts and each not in hidden]
    return Neighbours(people, page[-1][0] if len(found) > PAGE else None)


def _staff_among(ids: Sequence[int]) -> set[int]:
    return set(User.objects.filter(privileged(), pk__in=ids).values_list("pk", flat=True))


class NeighboursPage(DeskPage):
    right = Right.VIEW_PEOPLE
    template_name = "desk/neighbours.html"
    heading: ClassVar[str]

    def listed(self, person_id: int, operator: User, before: int | None) -> Neighbours:
        """Returns the page of the list that this is about."""
        raise NotImplementedError

    def get(self, request: HttpRequest, user_id: int) -> HttpResponseBase:
        person, operator = get_user(user_id), operator_of(request)
        if not may_touch(operator, person):
            raise PermissionDenied
        found = self.listed(user_id, operator, place_in(request))
        lines = [(person_line(each.account.id, each.account), created_at(each.op)) for each in found.people]
        shown = {"person": person, "heading": self.heading, "people": lines, "older": found.older}
        return self.shown({"title": f"{self.heading} {person}", **shown})


@desk_page
class Followers(NeighboursPage):
    route, name, title = "people/<id:user_id>/followers/", "followers", "Followers"
    heading = "Who follows"

    def listed(self, person_id: int, operator: User, before: int | None) -> Neighbours:
        return followers(person_id, operator, before=before)


@desk_page
class Followees(NeighboursPage):
    route, name, title = "people/<id:user_id>/following/", "following", "Following"
    heading = "Followed by"

    def listed(self, person_id: int, operator: User, before: int | None) -> Neighbours:
        return followees(person_id, operator, before=before)
