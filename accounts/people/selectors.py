"""Reads of people."""

from collections.abc import Collection, Sequence
from datetime import datetime

from accounts.entities import Account
from accounts.models import User
from accounts.people.rules import EMAIL_CHARACTERS, USERNAME, clean_email
from accounts.sql import ACCOUNT_COLUMNS, AccountRow, CompiledQuery, account_of_row, from_replica, sql_or_unavailable
from storage.errors import NotFound
from storage.ids.snowflakes import MAX_ID


@sql_or_unavailable()
def find_account(username: str) -> Account:
    """Returns the account of that name, in any case, suspended or not. One SQL query. Raises `NotFound`."""
    rows = _by_username.rows([username.lower()]) if USERNAME.fullmatch(username) else []
    return _account_in(rows)


@sql_or_unavailable()
def find_accounts(usernames: Collection[str]) -> dict[str, Account]:
    """Returns the accounts of these names, suspended or not, by the name in small letters. One SQL query."""
    names = {each.lower() for each in usernames if USERNAME.fullmatch(each)}
    rows = User.objects.with_usernames(names).values_list(*ACCOUNT_COLUMNS) if names else ()
    accounts = [account_of_row(row) for row in rows]
    return {each.username.lower(): each for each in accounts}


@sql_or_unavailable()
def get_account(user_id: int) -> Account:
    """Returns the account with that id, suspended or not. One SQL query. Raises `NotFound`."""
    return _account_in(_by_id.rows([user_id]) if user_id <= MAX_ID else [])


def _account_in(rows: Sequence[AccountRow]) -> Account:
    if not rows:
        raise NotFound("There is no such person.")
    return account_of_row(rows[0])


_by_username: CompiledQuery[AccountRow] = CompiledQuery(
    lambda: User.objects.with_username("").values_list(*ACCOUNT_COLUMNS)
)
_by_id: CompiledQuery[AccountRow] = CompiledQuery(lambda: User.objects.filter(pk=0).values_list(*ACCOUNT_COLUMNS))


@sql_or_unavailable()
def find_user(username: str) -> User:
    """Returns the person of that name, in any case, suspended or not. One SQL query. Raises `NotFound`."""
    person = User.objects.with_username(username).first() if USERNAME.fullmatch(username) else None
    if person is None:
        raise NotFound("There is no such person.")
    return person


@sql_or_unavailable()
def get_user(user_id: int) -> User:
    """Returns the person with that id, suspended or not. One SQL query. Raises `NotFound`."""
    person = User.objects.filter(pk=user_id).first()
    if person is None:
        raise NotFound("There is no such person.")
    return person


@sql_or_unavailable()
def find_login(login: str) -> User | None:
    """Returns the person whose username or e-mail address this is, in any case, with spaces around it or without.

    At most one SQL query.
    """
    login = login.strip()
    if USERNAME.fullmatch(login):
        return User.objects.with_username(login).first()
    if "@" in login and EMAIL_CHARACTERS.fullmatch(login):
        return User.objects.with_email(clean_email(login)).first()
    return None


def people_after(user_id: int, limit: int) -> list[tuple[int, str]]:
    """(id, username) of the people above that id, ascending, suspended ones as well, as a replica has them.

    One SQL query.
    """
    people = User.objects.filter(pk__gt=user_id).order_by("pk").values_list("pk", "username")
    return from_replica(lambda alias: list(people.using(alias)[:limit]))


@sql_or_unavailable()
def shut_out_among(user_ids: Collection[int]) -> set[int]:
    """Returns those who are suspended, or of whom there is no row. One SQL query."""
    let_in = User.objects.filter(pk__in=user_ids, suspended_at=None).values_list("pk", flat=True) if user_ids else ()
    return set(user_ids).difference(let_in)


@sql_or_unavailable()
def suspended_since(user_ids: Collection[int], moment: datetime) -> dict[int, datetime]:
    """Returns when those were suspended who have been since `moment`, and are. One SQL query, none for nobody."""
    if not user_ids:
        return {}
    suspended = User.objects.filter(pk__in=user_ids, suspended_at__gt=moment)
    return {person: at for person, at in suspended.values_list("pk", "suspended_at") if at is not None}


@sql_or_unavailable()
def protected_since(user_ids: Collection[int], moment: datetime) -> dict[int, datetime]:
    """Returns when those have become protected who have since `moment`, and are. One SQL query, none for nobody."""
    if not user_ids:
        return {}
    protected = User.objects.filter(pk__in=user_ids, protected_at__gt=moment)
    return {person: at for person, at in protected.values_list("pk", "protected_at") if at is not None}


@sql_or_unavailable()
def suspensions_over(moment: datetime, limit: int) -> list[User]:
    """Returns people whose suspensions were to end by then, the longest over first. One SQL query."""
    return list(User.objects.filter(suspended_until__lte=moment).order_by("suspended_until")[:limit])


def sampled_people(count: int) -> list[tuple[int, str]]:
    """(id, username) of so many people by chance, as a replica has them. One SQL query, which looks at everybody."""
    people = User.objects.order_by("?").values_list("pk", "username")
    return from_replica(lambda alias: list(people.using(alias)[:count]))


def count_people() -> int:
    """Returns how many people there are, as a replica has them. One SQL query."""
    return from_replica(lambda alias: User.objects.using(alias).count())
