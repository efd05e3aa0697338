"""Finding people by the beginning of a name: in SQL, where both names of everybody are indexed.

**The order** is of three parts, each by name: those of some people (whom the reader follows) one of whose names begins
so; then who else has such a username; then who has such a display name alone. Nobody is in two of them, so a page goes
on behind the last person of the one before: their part is asked for, and their name in it.

**Bounded.** Each read begins in an index where the last one ended, and looks at LOOKED_AT people: of many who are
left out it comes back with those it has found, and says behind whom to go on. Where so many of one beginning have it in
both names (who has chosen no other name has), the list ends: nobody among them stands in the last part.
"""

from collections.abc import Collection, Sequence
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
    for part in (_Part(alias, USERNAME, text, first), _Part(alias, DISPLAY_NAME, text, first)):
        reads = [part.people()] if after is None else part.behind(after)
        after = None if reads else after
        for read in reads:
            if len(found) == limit:
                break
            rows = read.values_list("pk", F("is_suspended"), F("is_named"))[:LOOKED_AT]
            looked_at = [_LookedAt(*row) for row in rows]
            found += [each.id for each in looked_at if not (each.suspended or each.named)][: limit - len(found)]
            if len(found) < limit and len(looked_at) == LOOKED_AT:
                return Found(found, next((each.id for each in reversed(looked_at) if not each.named), None))
    return Found(found, found[-1] if len(found) == limit else None)


class _LookedAt(NamedTuple):
    """One of a part, who may be left out; `named` of display names is who stands in the part of usernames."""

    id: int
    suspended: bool
    named: bool


class _Part(NamedTuple):
    """Who has such a username, or who has such a display name alone; but for the first."""

    alias: str
    field: str
    text: str
    first: Sequence[int]

    def people(self, *, behind: str | None = None) -> QuerySet[User]:
        """Returns all of them in their order, or those behind a key."""
        by_name = self.field == DISPLAY_NAME
        named = _begins(USERNAME, self.text) if by_name else Q(pk__in=[])
        people = User.objects.db_manager(self.alias).beginning_with(self.field, self.text, behind=behind)
        part = people.alias(**_keys()).exclude(pk__in=self.first).order_by(F("key"), *(["pk"] if by_name else []))
        return part.annotate(is_suspended=_said(Q(suspended_at__isnull=False)), is_named=_said(named))

    def behind(self, person_id: int) -> list[QuerySet[User]]:
        """Returns who stands behind one of them: who is called as they are, and then the others. None for nobody of
        them.

        Each is a range of the index that is entered where it begins; for an `or` all that is before would be looked
        through.
        """
        standing = self.people().filter(pk=person_id).annotate(standing=F("key"))
        key = standing.values_list("standing", flat=True).first()
        if key is None:
            return []
        namesakes = self.people().filter(Q(key=key), pk__gt=person_id).order_by("pk")
        return [*([namesakes] if self.field == DISPLAY_NAME else []), self.people(behind=key)]


def _said(condition: Q) -> "ExpressionWrapper[Q]":
    return ExpressionWrapper(condition, output_field=BooleanField())


def _keys() -> dict[str, ByCodePoint]:
    return {f"{field}_key": ByCodePoint(Lower(field)) for field in (USERNAME, DISPLAY_NAME)}


def _begins(field: str, text: str) -> Q:
    """As `beginning_with`, where the keys are aliases."""
    first, end = (ByCodePoint(Lower(Value(each))) for each in (text, text + LAST_CHARACTER))
    return Q(**{f"{field}_key__gte": first, f"{field}_key__lt": end})
