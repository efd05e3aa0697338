"""Many tokens that are looked at together, as those of open sockets are."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import groupby
from typing import Any

from knox.models import AuthToken

from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.account_cache.vouching import vouching
from accounts.entities import Account
from accounts.sessions.tokens import TOKEN_COLUMNS, end_of, read_claim
from accounts.sessions.uses import note_used
from accounts.sql import account_of_row, sql_or_unavailable
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.redis.lasting_cache import Kept, joined
from storage.redis.node import timeline_node
from storage.redis.reads import Command, Read
from storage.redis.shards import Generations, timeline_shard

Proven = dict[Claim, tuple[int, Account]]
"""When the tokens end, and whose they are."""
_KeptOfBoth = tuple[Kept[Claim, int], Kept[int, Account]]


def good_among(raws: Collection[str]) -> set[str]:
    """Returns which of these tokens prove somebody now. They are well-formed: each has proved somebody before.

    Where SQL does not answer, the cache's word counts; and who is in no cache then is not refuted, and counts as good.
    One Redis round trip; an SQL query and a round trip more for what is not cached, or doubtful. Raises `Unavailable`
    when neither answers.
    """
    if not raws:
        return set()
    vouching.go_on()
    claims = {read_claim(raw): raw for raw in raws}
    try:
        kept, generation = _from_redis(claims)
    except Unavailable:
        return {claims[each] for each in _good(_from_sql(claims))}
    known, doubtful = _matched(claims, kept)
    missing = claims.keys() - known.keys()
    try:
        found = _from_sql(missing) if missing else {}
    except Unavailable:
        unknown = missing - doubtful.keys()
        return {claims[each] for each in _good(known | doubtful) | unknown}
    if found:
        _fill(found, kept, generation)
    return {claims[each] for each in _good(known | found)}


def _good(proven: Proven) -> set[Claim]:
    now = now_us()
    return {claim for claim, (end_us, account) in proven.items() if end_us > now and not account.suspended}


def _from_redis(claims: Iterable[Claim]) -> tuple[_KeptOfBoth, Generations | None]:
    """What is kept of the tokens, and of their people; and the generation. One round trip."""
    groups = groupby(sorted(claims, key=_shard), key=_shard)
    shards = [list(group) for _, group in groups]
    reads: list[Read[Kept[Any, Any]]] = [TOKENS.read_kept(each) for each in shards]
    reads += [ACCOUNTS.read_kept(list({claim.user_id for claim in each})) for each in shards]
    found = timeline_node().ask_all(reads)
    generation = timeline_node().generation_of(*(each.generation for each in found))
    return (joined(found[: len(shards)]), joined(found[len(shards) :])), generation


def _shard(claim: Claim) -> int:
    return timeline_shard(claim.user_id)


def _matched(claims: Iterable[Claim], kept: _KeptOfBoth) -> tuple[Proven, Proven]:
    """Those of whom Redis is sure, and those of whom it is not."""
    tokens, accounts = kept
    known, doubtful = Proven(), Proven()
    for claim in claims:
        end_us = tokens.good.get(claim, tokens.doubtful.get(claim))
        account = accounts.good.get(claim.user_id, accounts.doubtful.get(claim.user_id))
        if end_us is not None and account is not None:
            sure = claim in tokens.good and claim.user_id in accounts.good
            (known if sure else doubtful)[claim] = (end_us, account)
    return known, doubtful


@sql_or_unavailable()
def _from_sql(claims: Collection[Claim]) -> Proven:
    """The tokens of which there are rows. One statement, or two where a use is noted."""
    of_digest = {claim.digest: claim for claim in claims}
    rows = list(AuthToken.objects.filter(digest__in=of_digest).values_list("digest", *TOKEN_COLUMNS))
    note_used({of_digest[digest]: last_used for digest, _, last_used, *_ in rows})
    return {of_digest[digest]: (end_of(expiry), account_of_row(tuple(row))) for digest, expiry, _, *row in rows}


def _fill(found: Proven, kept: _KeptOfBoth, generation: Generations | None) -> None:
    tokens, accounts = kept
    ends = {claim: end_us for claim, (end_us, _) in found.items()}
    people = {claim.user_id: account for claim, (_, account) in found.items()}
    commands: list[Command] = [
        *TOKENS.refill(ends, tokens.doubtful, generation=generation, redis_ms=tokens.redis_ms),
        *ACCOUNTS.refill(people, accounts.doubtful, generation=generation, redis_ms=accounts.redis_ms),
    ]
    with suppress(Unavailable):
        timeline_node().round_trip(*commands)
