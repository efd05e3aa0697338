"""One process does not reach SQL, stands still, or catches up; the others, and what was promised, take no harm."""

import time
from unittest.mock import patch

import pytest

from accounts.account_cache import accounts, vouching
from accounts.account_cache.vouching import VOUCHED_SECONDS, look
from accounts.models import User
from accounts.sessions import tokens
from accounts.sessions.ending import end_all
from accounts.sessions.many_tokens import good_among
from storage.errors import Unavailable
from storage.redis.lasting_cache import AWAY, TOLD, vouch_key
from storage.redis.node import timeline_node
from tests.backends import timeline_redis_down, vouch_for_all, vouch_for_none
from tests.integration.accounts.vouched import is_refused, sql_away, sql_known_away, vouches
from tests.people import new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


@pytest.fixture(autouse=True)
def a_fresh_process() -> None:
    accounts.forget_all()


@pytest.fixture
def person() -> User:
    return new_person("ada")


@pytest.fixture
def raw(person: User) -> str:
    raw = tokens.issue(person)
    tokens.authenticate(raw)
    return raw


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
