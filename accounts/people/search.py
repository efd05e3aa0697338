"""Finding people by the beginning of a name: in SQL, where both names of everybody are indexed.

**The order** is of three parts, each by name: those of some people (whom the reader follows) one of whose names begins
so; then who else has such a username; then who has such a display name alone. Nobody is in two of them, so a page goes
on behind the last person of the one before: their part is asked for, and their name in it.

**Bounded.** Each read begins in an index where the last one ended, and looks at LOOKED_AT people: of many who are
left out it comes back with those it has found, and says behind whom to go on. Where so many of one beginning have it in
both names (who has chosen no other name has), the list ends: nobody among them stands in the last part.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Lower

from accounts.models import LAST_CHARACTER, User
from accounts.sql import ByCodePoint, from_replica

USERNAME, DISPLAY_NAME = "username", "display_name"
LOOKED_AT = 1_000
"""Some milliseconds of an index."""


class Found(NamedTuple):
    """People in their order, and behind whom to go on; None where there is nobody more."""

    people: Sequence[int]
    behind: int | None


def people_named(text: str, first: Sequence[int], *, after: int | None, limit: int) -> Found:
    """Returns `limit` people one of whose names begins with the text, in any case (`beginning_with`); fewer where many
    are left out, or at the end.

    `first` come first: they are what `first_named` has found for the text. `after` is the last person of the page
    before; behind one who is called otherwise now nobody is found. Suspended people are left out. Two SQL queries, and
    up to two to find `after`; as a replica has them. Raises `Unavailable`.
    """
    return from_replica(lambda alias: _found(alias, text, first, after, limit))


def first_named(text: str, people: Collection[int]) -> list[int]:
    """Returns those of some people who are found by either name, by username. An SQL query, which looks at all of them;
    none for nobody. As `people_named`."""
    return from_replica(lambda alias: _first(alias, text, people)) if people else []


def _first(alias: str, text: str, people: Collection[int]) -> list[int]:
    named = _begins(USERNAME, text) | _begins(DISPLAY_NAME, text)
    found = User.objects.using(alias).alias(**_keys()).filter(named, pk__in=people, suspended_at=None)
    return list(found.order_by(F("username_key")).values_list("pk", flat=True))


def _found(alias: str, text: str, first: Sequence[int], after: int | None, limit: int) -> Found:
    found: list[int] = []
    if after is None or after in first:
        place = 0 if after is None else first.index(after) + 1
        found, after = list(first[place : place + limit]), None
    for part in _parts(alias, text, first):
        if len(found) == limit:
            break
        behind = part if after is None else _behind(part, after)
        if behind is None:
            continue
        after = None
        looked_at = [_LookedAt(*row) for row in behind.values_list("pk", F("is_suspended"), F("is_named"))[:LOOKED_AT]]
        found += [each.id for each in looked_at if not (each.suspended or each.named)][: limit - len(found)]
        if len(found) < limit and len(looked_at) == LOOKED_AT:
            return Found(found, next((each.id for each in reversed(looked_at) if not each.named), None))
    return Found(found, found[-1] if len(found) == limit else None)


class _LookedAt(NamedTuple):
    """One of a part, who may be left out; `named` of display names is who stands in the part of usernames."""

    id: int
    suspended: bool
    named: bool


def _parts(alias: str, text: str, first: Sequence[int]) -> Iterator[QuerySet[User]]:
    """Who has such a username, and who has such a display name."""
    people = User.objects.db_manager(alias)
    for field, order, named in (
        (USERNAME, (F("key"),), Q(pk__in=[])),
        (DISPLAY_NAME, (F("key"), "pk"), _begins(USERNAME, text)),
    ):
        part = people.beginning_with(field, text).alias(**_keys()).exclude(pk__in=first).order_by(*order)
        yield part.annotate(is_suspended=_said(Q(suspended_at__isnull=False)), is_named=_said(named))


def _said(condition: Q) -> "ExpressionWrapper[Q]":
    return ExpressionWrapper(condition, output_field=BooleanField())


def _behind(part: QuerySet[User], person_id: int) -> QuerySet[User] | None:
    """Who of the part stands behind the person; None if that is none of them.

    That keys are not below theirs is said by itself: neither database begins in an index where an `or` says so.
    """
    keys = list(part.filter(pk=person_id).annotate(standing=F("key")).values_list("standing", flat=True))
    if not keys:
        return None
    return part.filter(Q(key__gte=keys[0])).filter(Q(key__gt=keys[0]) | Q(key=keys[0], pk__gt=person_id))


def _keys() -> dict[str, ByCodePoint]:
    return {f"{field}_key": ByCodePoint(Lower(field)) for field in (USERNAME, DISPLAY_NAME)}


def _begins(field: str, text: str) -> Q:
    """As `beginning_with`, where the keys are aliases."""
    first, end = (ByCodePoint(Lower(Value(each))) for each in (text, text + LAST_CHARACTER))
    return Q(**{f"{field}_key__gte": first, f"{field}_key__lt": end})
