"""One process does not reach SQL, stands still, or catches up; the others, and what was promised, take no harm."""

import time
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.conf import settings

from accounts.account_cache import accounts, vouching
from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.change_log import recent_changes
from accounts.account_cache.known_tokens import TOKENS
from accounts.account_cache.vouching import VOUCHED_SECONDS, look
from accounts.models import User
from accounts.people.names import accounts_by_name, forget_names
from accounts.session_rows import AccountChange
from accounts.sessions import tokens
from accounts.sessions.ending import end_all
from accounts.sessions.many_tokens import good_among
from storage.errors import Unavailable
from storage.ids.snowflakes import now_us
from storage.redis import lasting_cache
from storage.redis.lasting_cache import AWAY, FILLED_WITHIN_SECONDS, REDIS_MS, TOLD, vouch_key
from storage.redis.node import timeline_node
from storage.redis.shards import shard_tag, timeline_shard
from tests.backends import timeline_redis_down, vouch_for_all, vouch_for_none
from tests.integration.accounts.vouched import (
    a_fresh_process,
    is_refused,
    look_again,
    person,
    raw,
    sql_away,
    sql_known_away,
    vouches,
)
from tests.people import new_person

__all__ = ["a_fresh_process", "person", "raw"]

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


class TestOneWithoutSql:
    """SQL answers others: what is changed there is in force for them."""

    def test_who_reaches_sql_asks_it_though_it_is_away_for_somebody(self, person: User, raw: str) -> None:
        User.objects.update(display_name="Countess")
        with timeline_redis_down():
            end_all(person.id)
        vouch_for_all(AWAY)
        assert accounts.accounts_by_id([person.id])[person.id].display_name == "Countess"
        assert good_among([raw]) == set()
        assert is_refused(raw)

    def test_who_does_not_reach_it_takes_what_is_there(self, person: User, raw: str) -> None:
        vouch_for_all(AWAY)
        with sql_known_away():
            assert tokens.authenticate(raw).id == person.id
            assert good_among([raw]) == {raw}
            assert accounts.accounts_by_id([person.id]) == {person.id: person.account}

    def test_who_looked_in_vain_lets_the_next_look_at_once(self) -> None:
        vouch_for_none()
        with sql_away():
            assert not look()
        assert vouches() == {AWAY}
        assert look()
        assert vouches() == {TOLD}

    def test_who_knows_that_it_is_away_claims_no_look(self) -> None:
        vouch_for_none()
        with sql_known_away():
            assert not look()
        assert vouches() == {None}
        assert look()
        assert vouches() == {TOLD}

    def test_away_lasts_from_before_sql_was_asked(self) -> None:
        vouch_for_none()

        def slowly() -> None:
            time.sleep(0.2)
            raise Unavailable("database")

        with patch.object(vouching, "impatient_connection", slowly):
            assert not look()
        [left] = timeline_node().round_trip(("PTTL", vouch_key(0)))
        assert 0 < left <= VOUCHED_SECONDS * 1000 - 200


def test_what_one_shard_has_forgotten_is_not_told_to_the_others() -> None:
    """Its slot began anew: it is told what changed within hours. Of the others' people nobody has to look anew."""
    people = [new_person() for _ in range(24)]
    forgot = timeline_shard(people[0].id)
    others = [shard for shard in range(settings.TIMELINE_SHARDS) if shard != forgot]
    assert {timeline_shard(each.id) for each in people} & set(others)
    for each in people:
        AccountChange.objects.create(user_id=each.id, at_us=now_us() - 3600 * 1_000_000)
    look()
    families = ("told", "told-until", "accounts-changed")
    names = [f"{shard_tag(shard)}:{family}" for shard in (forgot, *others) for family in families]
    until_keys = {f"{shard_tag(shard)}:told-until" for shard in others}
    timeline_node().round_trip(("DEL", *(name for name in names if name not in until_keys)))
    look_again()
    [told] = timeline_node().ask(recent_changes(0))
    assert told is not None
    assert set(told) == {each.id for each in people if timeline_shard(each.id) == forgot}


def by_one(_: User, raw: str) -> None:
    tokens.authenticate(raw)


def by_many(_: User, raw: str) -> None:
    good_among([raw])


def by_page(person: User, _: str) -> None:
    accounts.accounts_by_id([person.id])


def by_name(person: User, _: str) -> None:
    forget_names()
    accounts_by_name([person.username])


class TestLateFills:
    """What comes after a guard could have ended is refused by Redis' own clock, however it came to be late."""

    @pytest.mark.parametrize("filled", [by_one, by_many, by_page, by_name], ids=lambda each: each.__name__)
    @pytest.mark.parametrize(("within", "kept"), [(FILLED_WITHIN_SECONDS, True), (0.0, False)])
    def test_each_fill_says_when_it_asked(
        self, person: User, filled: Callable[[User, str], None], within: float, kept: bool
    ) -> None:
        raw = tokens.issue(person)
        places = [ACCOUNTS.key(person.id)]
        if filled in (by_one, by_many):
            places.append(TOKENS.key(tokens.read_claim(raw)))
        with patch.object(lasting_cache, "FILLED_WITHIN_SECONDS", within):
            filled(person, raw)
        assert timeline_node().round_trip(("EXISTS", *places)) == [len(places) if kept else 0]

    @pytest.mark.parametrize(("late_ms", "kept"), [(FILLED_WITHIN_SECONDS * 1000, 0), (0, 1)])
    def test_a_fill_that_was_sent_in_time_and_comes_late_is_refused(
        self, person: User, late_ms: float, kept: int
    ) -> None:
        node = timeline_node()
        [asked_ms] = node.ask(REDIS_MS)
        assert asked_ms is not None
        values, redis_ms = {person.id: person.account}, asked_ms - int(late_ms)
        assert node.round_trip(*ACCOUNTS.fill(values, generation=node.begin(), redis_ms=redis_ms)) == [kept]
        node.round_trip(("SET", ACCOUNTS.key(person.id), b"old"))
        assert node.round_trip(*ACCOUNTS.renew(values, generation=node.begin(), redis_ms=redis_ms)) == [kept]

    def test_a_fill_that_does_not_say_when_it_asked_is_none(self, person: User) -> None:
        assert ACCOUNTS.fill({person.id: person.account}, generation=timeline_node().begin()) == []
