"""How long an entry of a token or an account in Redis lives, and what renews it."""

from unittest.mock import patch

import pytest

from accounts.account_cache import accounts, changes
from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.models import User
from accounts.people import suspending
from accounts.sessions import tokens
from accounts.sessions.ending import end_all
from accounts.sessions.many_tokens import good_among
from storage.errors import NotSignedIn
from storage.redis.lasting_cache import KEPT_SECONDS, RENEWED_SECONDS, vouch_key
from storage.redis.node import timeline_node
from storage.redis.shards import timeline_shard, user_tag
from tests.backends import counted_round_trips, timeline_redis_down
from tests.integration.accounts.vouched import a_fresh_process, age, is_refused, person, raw, sql
from tests.people import new_person

__all__ = ["a_fresh_process", "person", "raw"]

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


class TestLives:
    def test_an_entry_is_renewed_once_an_hour_and_lives_on(self, person: User, raw: str) -> None:
        claim = tokens.read_claim(raw)
        keys = (TOKENS.key(claim), ACCOUNTS.key(person.id))
        for key in keys:
            age(key, RENEWED_SECONDS - 60)
        with sql() as none:
            tokens.authenticate(raw)
        for key in keys:
            age(key, 120)
        with sql() as once:
            tokens.authenticate(raw)
        with sql() as again:
            tokens.authenticate(raw)
        assert (len(none), len(once), len(again)) == (0, 1, 0)
        left = timeline_node().round_trip(*[("TTL", key) for key in keys])
        assert all(each > KEPT_SECONDS - 60 for each in left)

    def test_what_was_changed_past_the_product_is_seen_after_an_hour(self, person: User, raw: str) -> None:
        User.objects.update(display_name="By hand")
        assert tokens.authenticate(raw).account.display_name == person.username
        age(ACCOUNTS.key(person.id), RENEWED_SECONDS + 60)
        assert tokens.authenticate(raw).account.display_name == "By hand"
        assert tokens.authenticate(raw).account.display_name == "By hand"

    def test_an_account_on_pages_is_renewed_as_well(self, person: User, raw: str) -> None:
        age(ACCOUNTS.key(person.id), RENEWED_SECONDS + 60)
        costs = []
        for _ in range(2):
            with sql() as asked:
                accounts.accounts_by_id([person.id])
            costs.append(len(asked))
        assert costs == [1, 0]

    def test_a_renewal_does_not_overwrite_a_guard(self, person: User, raw: str) -> None:
        """It has read SQL, then the token ends, and only then the renewal arrives."""
        age(TOKENS.key(tokens.read_claim(raw)), RENEWED_SECONDS + 60)
        original = tokens._from_sql

        def read_and_end(claim: Claim) -> object:
            found = original(claim)
            end_all(person.id)
            return found

        with patch.object(tokens, "_from_sql", read_and_end):
            tokens.authenticate(raw)
        assert is_refused(raw)

    def test_tokens_of_sockets_are_looked_up_together_and_kept(self) -> None:
        people = [new_person() for _ in range(30)]
        raws = [tokens.issue(each) for each in people]
        with sql() as cold, counted_round_trips() as trips:
            assert good_among(raws) == set(raws)
        assert (len(cold), len(trips)) == (1, 2)
        with sql() as warm, counted_round_trips() as trips:
            assert good_among(raws) == set(raws)
        assert (len(warm), len(trips)) == (0, 1)
        suspending.suspend(people[0], by=people[0])
        end_all(people[1].id)
        assert good_among(raws) == set(raws[2:])
        with timeline_redis_down():
            assert good_among(raws) == set(raws[2:])

    def test_the_keys_beside_a_person_s_tokens_are_of_their_shard(self, person: User) -> None:
        keys = [vouch_key(timeline_shard(person.id)), changes.told_key(timeline_shard(person.id))]
        assert all(key.startswith(f"{user_tag(person.id)}:") for key in keys)


def test_a_malformed_token_among_many_is_refused() -> None:
    with pytest.raises(NotSignedIn):
        good_among(["nonsense"])
