"""Tokens and accounts are good from Redis for hours, because somebody makes sure that it hears of every change."""

import time
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.db import transaction

from accounts.account_cache import accounts, changes, vouching
from accounts.account_cache.accounts import ACCOUNTS
from accounts.account_cache.change_log import recent_changes
from accounts.account_cache.known_tokens import TOKENS, Claim
from accounts.account_cache.vouching import VOUCHED_SECONDS, Vouching, look
from accounts.models import User
from accounts.people import services, suspending
from accounts.people.services import ProfileChange
from accounts.session_rows import AccountChange
from accounts.sessions import tokens
from accounts.sessions.ending import end_all
from accounts.sessions.many_tokens import good_among
from deploy.supervisor.processes import wait_until
from storage.errors import Forbidden, Unavailable
from storage.ids.snowflakes import now_us
from storage.redis.lasting_cache import AWAY, KEPT_SECONDS, RENEWED_SECONDS, TOLD, vouch_key
from storage.redis.node import timeline_node
from tests.backends import counted_round_trips, timeline_redis_down, vouch_for_all, vouch_for_none
from tests.integration.accounts.vouched import (
    a_fresh_process,
    age,
    is_refused,
    look_again,
    person,
    raw,
    sql_away,
    sql_known_away,
    vouches,
)
from tests.people import PASSWORD, new_person

__all__ = ["a_fresh_process", "person", "raw"]

STARTS = Vouching._start
"""What no other test has, not even between tests (tests/conftest.py)."""
pytestmark = pytest.mark.usefixtures("database", "redis_servers")


def end_vouches() -> None:
    """As VOUCHED_SECONDS after the last look that anybody had."""
    vouch_for_none()


def sign_out(person: User, raw: str) -> None:
    tokens.revoke(tokens.authenticate(raw))


def sign_out_everywhere(person: User, raw: str) -> None:
    end_all(person.id)


def change_password(person: User, raw: str) -> None:
    services.update_profile(person.id, ProfileChange(password="another-horse-42", current_password=PASSWORD))


def change_password_by_django(person: User, raw: str) -> None:
    person.set_password("another-horse-42")
    person.save()


ends_tokens = pytest.mark.parametrize(
    "end", [sign_out, sign_out_everywhere, change_password, change_password_by_django], ids=lambda end: end.__name__
)
Ending = Callable[[User, str], None]


class TestUnheard:
    """Redis does not answer who changes something, and answers everybody else."""

    @ends_tokens
    def test_a_look_tells_of_ended_tokens(self, person: User, raw: str, end: Ending) -> None:
        with timeline_redis_down():
            end(person, raw)
        assert not is_refused(raw), "the vouch of a moment ago"
        assert look()
        assert is_refused(raw)
        assert vouches() == {TOLD}

    @ends_tokens
    def test_they_are_refused_when_nobody_has_vouched_any_more(self, person: User, raw: str, end: Ending) -> None:
        with timeline_redis_down():
            end(person, raw)
        end_vouches()
        assert is_refused(raw)
        assert is_refused(raw), "and it does not come back"

    @pytest.mark.parametrize("noticed", [look, end_vouches])
    def test_a_suspension(self, person: User, raw: str, noticed: Callable[[], object]) -> None:
        with timeline_redis_down():
            suspending.suspend(person, by=person)
        noticed()
        with pytest.raises(Forbidden):
            tokens.authenticate(raw)

    @pytest.mark.parametrize("noticed", [look, end_vouches])
    def test_a_new_name(self, person: User, raw: str, noticed: Callable[[], object]) -> None:
        with timeline_redis_down():
            services.update_profile(person.id, ProfileChange(display_name="Countess"))
        noticed()
        assert tokens.authenticate(raw).account.display_name == "Countess"
        accounts.forget_all()
        assert accounts.accounts_by_id([person.id])[person.id].display_name == "Countess"

    def test_a_process_that_dies_before_it_tells(self, person: User, raw: str) -> None:
        with patch.object(changes, "_told_now"):
            tokens.revoke(tokens.authenticate(raw))
        assert look()
        assert is_refused(raw)

    def test_open_sockets_look_at_their_token(self, person: User, raw: str) -> None:
        with timeline_redis_down():
            end_all(person.id)
        assert timeline_node().ask(recent_changes(0)) == ({},)
        look()
        [recent] = timeline_node().ask(recent_changes(0))
        assert recent is not None
        assert set(recent) == {person.id}

    def test_a_fill_of_before_is_refused_behind_the_telling(self, person: User, raw: str) -> None:
        """A reader has read SQL; the token ends, unheard; it is told; only then the fill arrives."""
        timeline_node().round_trip(("DEL", TOKENS.key(tokens.read_claim(raw))))
        original = tokens._from_sql

        def read_and_end(claim: Claim) -> object:
            found = original(claim)
            with timeline_redis_down():
                end_all(person.id)
            look()
            return found

        with patch.object(tokens, "_from_sql", read_and_end):
            tokens.authenticate(raw)
        assert is_refused(raw)

    def test_a_fill_of_before_that_comes_first_is_overwritten_by_the_telling(self, person: User, raw: str) -> None:
        timeline_node().round_trip(("DEL", TOKENS.key(tokens.read_claim(raw))))
        original = tokens._from_sql

        def read_and_end(claim: Claim) -> object:
            found = original(claim)
            with timeline_redis_down():
                end_all(person.id)
            return found

        with patch.object(tokens, "_from_sql", read_and_end):
            tokens.authenticate(raw)
        assert look()
        assert is_refused(raw)


class TestLooks:
    def test_what_was_told_at_once_is_not_told_again(self, person: User, raw: str) -> None:
        end_all(person.id)
        with patch.object(vouching, "tell") as telling:
            assert look()
            assert look_again()
        telling.assert_not_called()

    def test_one_looks_a_second(self, person: User) -> None:
        assert look()
        vouch_for_none()
        assert look()
        assert vouches() == {None}, "somebody else has looked a moment ago"
        assert look_again()
        assert vouches() == {TOLD}

    def test_it_costs_two_round_trips(self) -> None:
        with counted_round_trips() as trips:
            look()
        assert len(trips) == 2

    def test_a_vouch_lasts_from_before_sql_was_asked(self) -> None:
        vouch_for_none()
        original = vouching._notes_since

        def slowly(after_us: int) -> object:
            time.sleep(0.2)
            return original(after_us)

        with patch.object(vouching, "_notes_since", slowly):
            look()
        [left] = timeline_node().round_trip(("PTTL", vouch_key(0)))
        assert 0 < left <= VOUCHED_SECONDS * 1000 - 200

    def test_a_look_that_took_too_long_vouches_for_nothing(self) -> None:
        vouch_for_none()
        with patch.object(vouching, "VOUCHED_SECONDS", 0):
            look()
        assert vouches() == {None}

    def test_a_look_that_began_under_another_generation_vouches_for_nothing(self) -> None:
        original = vouching._notes_since

        def emptied(after_us: int) -> object:
            timeline_node().round_trip(("FLUSHALL",))
            timeline_node().begin()
            return original(after_us)

        with patch.object(vouching, "_notes_since", emptied):
            look()
        assert vouches() == {None}

    def test_an_emptied_redis_is_vouched_for_again(self) -> None:
        timeline_node().round_trip(("FLUSHALL",))
        look()
        assert vouches() == {None}
        look()
        assert vouches() == {TOLD}

    def test_notes_are_read_from_where_redis_was_told_and_all_of_them(self, person: User, raw: str) -> None:
        look()
        others = [new_person() for _ in range(5)]
        raws = [tokens.issue(each) for each in others]
        for each in raws:
            tokens.authenticate(each)
        with timeline_redis_down():
            for other in others:
                end_all(other.id)
        with patch.object(vouching, "PAGE", 2), patch.object(vouching, "TOLD_AT_ONCE", 1):
            look_again()
        assert all(map(is_refused, raws))
        old = now_us() - 10 * changes.OVERLAP_SECONDS * 1_000_000
        AccountChange.objects.update(at_us=old)
        with patch.object(vouching, "tell") as telling:
            look_again()
        telling.assert_not_called()

    def test_a_transaction_that_commits_after_a_look_is_seen_by_the_next(self, person: User, raw: str) -> None:
        """Its note is from before what was looked at last."""
        with timeline_redis_down():
            end_all(person.id)
        AccountChange.objects.update(at_us=now_us() - (changes.OVERLAP_SECONDS - 10) * 1_000_000)
        row = AccountChange.objects.get()
        AccountChange.objects.all().delete()
        look()
        row.save(force_insert=True)
        look_again()
        assert is_refused(raw)

    def test_who_was_not_looked_at_for_long_is_told_everything_within_an_entry_s_life(
        self, person: User, raw: str
    ) -> None:
        with timeline_redis_down():
            end_all(person.id)
        AccountChange.objects.update(at_us=now_us() - (KEPT_SECONDS - 60) * 1_000_000)
        look()
        assert is_refused(raw)

    def test_notes_that_nothing_is_older_than_are_deleted(self, person: User) -> None:
        changes.note_change(person.id)
        assert changes.forget_notes() == 0
        AccountChange.objects.update(at_us=now_us() - changes.NOTES_SECONDS * 1_000_000 - 1)
        assert changes.forget_notes() == 1

    def test_a_change_that_is_rolled_back_is_neither_noted_nor_told(self, person: User, raw: str) -> None:
        with transaction.atomic():
            end_all(person.id)
            transaction.set_rollback(True)
        assert not AccountChange.objects.exists()
        assert not is_refused(raw)

    def test_a_process_looks_from_its_first_check_on(self, raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Vouching, "_start", STARTS)
        ours = Vouching()
        vouch_for_none()
        monkeypatch.setattr(tokens, "vouching", ours)
        try:
            tokens.authenticate(raw)
            assert wait_until(lambda: vouches() == {TOLD}, seconds=60)
        finally:
            ours.end()


class TestSqlAway:
    def test_who_is_signed_in_stays_so_and_sql_is_not_asked(self, person: User, raw: str) -> None:
        vouch_for_none()
        with sql_away():
            assert not look()
        assert vouches() == {AWAY}
        with sql_known_away() as asked:
            age(TOKENS.key(tokens.read_claim(raw)), RENEWED_SECONDS + 60)
            assert tokens.authenticate(raw).id == person.id
            assert good_among([raw]) == {raw}
            assert accounts.accounts_by_id([person.id]) == {person.id: person.account}
        assert asked == []

    def test_also_when_nobody_vouches(self, person: User, raw: str) -> None:
        vouch_for_none()
        with sql_away() as asked:
            assert tokens.authenticate(raw).id == person.id
            assert accounts.accounts_by_id([person.id]) == {person.id: person.account}
            assert good_among([raw]) == {raw}
        assert len(asked) == 3

    def test_an_unknown_token_is_not_refuted(self, person: User) -> None:
        raw = tokens.issue(person)
        for state in (TOLD, AWAY):
            vouch_for_all(state)
            with sql_away(), pytest.raises(Unavailable) as caught:
                tokens.authenticate(raw)
            assert caught.value.backend == "database"
        with sql_away():
            assert good_among([raw]) == {raw}

    def test_a_revoked_token_is_not_let_in_again(self, person: User, raw: str) -> None:
        end_all(person.id)
        vouch_for_all(AWAY)
        with sql_away(), pytest.raises(Unavailable):
            tokens.authenticate(raw)

    def test_a_cached_suspension_holds(self, person: User, raw: str) -> None:
        suspending.suspend(person, by=person)
        timeline_node().round_trip(("DEL", ACCOUNTS.key(person.id)))
        with pytest.raises(Forbidden):
            tokens.authenticate(raw)
        vouch_for_all(AWAY)
        with sql_known_away() as asked, pytest.raises(Forbidden):
            tokens.authenticate(raw)
        assert asked == []

    def test_a_token_ends_at_its_time(self, raw: str) -> None:
        vouch_for_all(AWAY)
        later = (now_us() + 91 * 86_400_000_000) * 1_000
        with patch("accounts.sessions.tokens.time.time_ns", lambda: later):
            assert is_refused(raw)

    def test_who_cannot_reach_sql_takes_nothing_from_who_can(self) -> None:
        assert look()
        with sql_away():
            assert not look_again()
        assert vouches() == {TOLD}

    def test_when_it_is_back_the_next_look_says_so(self) -> None:
        vouch_for_none()
        with sql_away():
            look()
        assert look_again()
        assert vouches() == {TOLD}
