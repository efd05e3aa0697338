"""Whose a username is, without SQL for names that were asked for lately.

A name belongs to one person for good. So which person that is may be remembered anywhere, for any time: it leads to the
account (account_cache/accounts.py), whose username proves it. What is remembered wrongly costs an SQL query and no
more; that is why no change has to be told here. That nobody has a name is not remembered: somebody may take it.
"""

import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings

from accounts.account_cache.accounts import ACCOUNTS, UNHEARD, Heard, accounts_by_id
from accounts.entities import Account
from accounts.people.rules import USERNAME
from accounts.people.selectors import find_accounts
from storage.errors import NotFound, Unavailable
from storage.redis.guarded_cache import GuardedCache
from storage.redis.lasting_cache import REDIS_MS
from storage.redis.node import timeline_node
from storage.redis.reads import Read
from storage.redis.shards import Generations

NAME_SECONDS = 86_400
REMEMBERED = 50_000
"""In this process, about 150 bytes each. Of more all are forgotten, and asked for in Redis again."""

NAMES: GuardedCache[str, int] = GuardedCache(
    timeline_node,
    lambda name: zlib.crc32(name.encode()) % settings.TIMELINE_SHARDS,
    lambda name: f"name:{name}",
    encode=lambda user_id: user_id.to_bytes(8, "big"),
    decode=lambda value: int.from_bytes(value, "big"),
    ttl_seconds=NAME_SECONDS,
)
"""The person's id, by the username in small letters."""

_remembered: dict[str, int] = {}
forget_names = _remembered.clear
"""As if the process had just started."""


def account_by_name(username: str, known: Heard = UNHEARD) -> Account:
    """Returns the account of that name, in any case, suspended or not. Costs as `accounts_by_name`.

    Raises `NotFound`, and `Unavailable` when it is not known who has the name.
    """
    found = accounts_by_name([username], known).get(username.lower())
    if found is None:
        raise NotFound("There is no such person.")
    return found


def accounts_by_name(usernames: Collection[str], known: Heard = UNHEARD) -> dict[str, Account]:
    """Returns the accounts of these names, suspended or not, by the name in small letters.

    One Redis round trip for the accounts, none if memory has them and `known` tells that they are good; one before for
    names that this process does not remember; and an SQL query and another round trip for what Redis does not know
    either.
    """
    names = _names_of(usernames)
    return _proved(names, _kept_ids(names), known)


def ids_by_name(usernames: Collection[str]) -> dict[str, int]:
    """Returns the ids of those who have these names, suspended or not, by the name in small letters.

    Costs as `accounts_by_name`. For who can do without some of them: while SQL is asked in vain, those are there that
    caches know.
    """
    names = _names_of(usernames)
    kept = _kept_ids(names)
    try:
        return {name: account.id for name, account in _proved(names, kept, UNHEARD).items()}
    except Unavailable:
        return kept.ids


class _KeptIds(NamedTuple):
    """Whose names they are, as this process or Redis remembers; what Redis said besides is for filling it."""

    ids: dict[str, int]
    generation: Generations | None = None
    redis_ms: int | None = None


def _names_of(usernames: Collection[str]) -> set[str]:
    return {each.lower() for each in usernames if USERNAME.fullmatch(each)}


def _kept_ids(names: Collection[str]) -> _KeptIds:
    """What is remembered of these names. One Redis round trip for what this process does not remember, if any."""
    ids = {name: user_id for name in names if (user_id := _remembered.get(name)) is not None}
    if len(ids) == len(names):
        return _KeptIds(ids)
    cached, generation, redis_ms = _from_redis([each for each in names if each not in ids])
    return _KeptIds(ids | cached, generation, redis_ms)


def _proved(names: set[str], kept: _KeptIds, known: Heard) -> dict[str, Account]:
    """The accounts that the remembered ids lead to, if they have these names indeed; SQL is asked for the others."""
    accounts = accounts_by_id(
        kept.ids.values(), changes=known.changes, log_shard=known.log_shard, generation=known.generation
    )
    found = {name: accounts[user_id] for name, user_id in kept.ids.items() if user_id in accounts}
    found = {name: account for name, account in found.items() if account.username.lower() == name}
    missing = names - found.keys()
    if missing:
        rows = find_accounts(missing)
        _fill(rows, kept.generation, kept.redis_ms)
        found |= rows
    _remember(found)
    return found


def _from_redis(names: list[str]) -> tuple[dict[str, int], Generations | None, int | None]:
    """What Redis knows of them, the generation, and its clock; nothing when it does not answer. One round trip.

    Of a cluster it is the clock that is furthest behind: whose generation is known, that server was asked for both.
    """
    node = timeline_node()
    reads: list[Read[Any]] = [read for each in names for read in (NAMES.read([each]), REDIS_MS)]
    try:
        answers = node.ask_all(reads)
    except Unavailable:
        return {}, None, None
    found, clocks = answers[::2], answers[1::2]
    redis_ms = min((each for each in clocks if each is not None), default=None)
    ids = {name: user_id for each in found for name, user_id in each.values.items()}
    return ids, node.generation_of(*(each.generation for each in found)), redis_ms


def _fill(rows: Mapping[str, Account], generation: Generations | None, redis_ms: int | None) -> None:
    """Keeps the accounts, too, as far as they were read under that generation: the next request asks for them by their
    ids."""
    fills = NAMES.overwrite({name: account.id for name, account in rows.items()}, generation=generation)
    fills += ACCOUNTS.fill({account.id: account for account in rows.values()}, generation=generation, redis_ms=redis_ms)
    if fills:
        with suppress(Unavailable):
            timeline_node().round_trip(*fills)


def _remember(found: Mapping[str, Account]) -> None:
    if len(_remembered) + len(found) > REMEMBERED:
        _remembered.clear()
    _remembered.update({name: account.id for name, account in found.items()})
