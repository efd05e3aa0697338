"""Finding people by the beginning of a name: in SQL, where both names of everybody are indexed.

**The order** is of three parts, each by name: those of some people (whom the reader follows) one of whose names begins
so; then who else has such a username; then who has such a display name alone. Nobody is in two of them, so a page goes
on behind the last person of the one before: their part is asked for, and their name in it.
"""

from collections.abc import Collection

from django.db.models import F, Q, QuerySet

from accounts.models import User
from accounts.sql import from_replica

USERNAME, DISPLAY_NAME = "username", "display_name"


def people_named(text: str, first: Collection[int], *, after: int | None, limit: int) -> list[int]:
    """Returns the ids of `limit` people one of whose names begins with the text, in any case (`beginning_with`).

    Those among `first` come first. `after` is the last person of the page before; behind one who is called otherwise
    now nobody is found. Suspended people are left out. Up to four SQL queries, and as many more to go on behind
    somebody; as a replica has them. Raises `Unavailable`.
    """
    return from_replica(lambda alias: _read(alias, text, first, after, limit))


def _read(alias: str, text: str, first: Collection[int], after: int | None, limit: int) -> list[int]:
    people = User.objects.db_manager(alias)
    by_username, by_display_name = (people.beginning_with(field, text) for field in (USERNAME, DISPLAY_NAME))
    of_first = _of_first(by_username, by_display_name, first) if first else []
    found: list[int] = []
    if after is None or after in of_first:
        found = of_first[of_first.index(after) + 1 if after is not None else 0 :][:limit]
        after = None
    others = by_display_name.exclude(pk__in=by_username.order_by().values("pk"))
    for part in (by_username, others):
        behind = part if after is None else _behind(part, after)
        if behind is not None:
            wanted = behind.filter(suspended_at=None).exclude(pk__in=first).order_by(F("key"), "pk")
            found += wanted.values_list("pk", flat=True)[: limit - len(found)] if len(found) < limit else []
            after = None
    return found


def _of_first(by_username: QuerySet[User], by_display_name: QuerySet[User], first: Collection[int]) -> list[int]:
    """Those of `first` who are found by either name, by username."""
    named = {pk for part in (by_username, by_display_name) for pk in _among(part, first)}
    people = User.objects.using(by_username.db).filter(pk__in=named, suspended_at=None)
    return [pk for pk, _ in sorted(people.values_list("pk", "username"), key=lambda each: (each[1].lower(), each[0]))]


def _among(part: QuerySet[User], ids: Collection[int]) -> list[int]:
    return list(part.order_by().filter(pk__in=ids).values_list("pk", flat=True))


def _behind(part: QuerySet[User], person_id: int) -> QuerySet[User] | None:
    """Who of the part stands behind the person; None if that is none of them."""
    keys = list(part.filter(pk=person_id).annotate(standing=F("key")).values_list("standing", flat=True))
    return part.filter(Q(key__gt=keys[0]) | Q(key=keys[0], pk__gt=person_id)) if keys else None
