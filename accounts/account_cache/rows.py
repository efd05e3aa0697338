"""Accounts read from SQL, by a dozen statements that are written once."""

from collections.abc import Collection
from functools import cache

from accounts.entities import Account
from accounts.models import User
from accounts.sql import ACCOUNT_COLUMNS, AccountRow, CompiledQuery, account_of_row, sql_or_unavailable

ACCOUNTS_A_STATEMENT = 256
"""More than a page has authors, and less than any database takes parameters."""


@sql_or_unavailable()
def account_rows(ids: Collection[int]) -> dict[int, Account]:
    """Returns the accounts that there are. A statement for each ACCOUNTS_A_STATEMENT ids. Raises `Unavailable`."""
    wanted = list(ids)
    found: dict[int, Account] = {}
    for start in range(0, len(wanted), ACCOUNTS_A_STATEMENT):
        some = wanted[start : start + ACCOUNTS_A_STATEMENT]
        size = 1 << (len(some) - 1).bit_length()
        padded = some + some[:1] * (size - len(some))
        found |= {values[0]: account_of_row(values) for values in _query_of(size).rows(padded)}
    return found


@cache
def _query_of(size: int) -> CompiledQuery[AccountRow]:
    """Returns the statement for so many ids, a power of two: so a dozen statements do for every number."""
    return CompiledQuery(lambda: User.objects.filter(pk__in=range(size)).values_list(*ACCOUNT_COLUMNS))
