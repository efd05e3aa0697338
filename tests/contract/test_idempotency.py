"""The port of repeated writes: of many with one key one goes on, and what it answered stays."""

import pytest

from storage.errors import Busy, Refused
from storage.ids.snowflakes import now_us
from storage.ports import idempotency
from storage.ports.idempotency import Answer, IdempotencyClaim, IdempotencyStore
from storage.stores import ids
from storage.web import idempotent_requests
from storage.web.idempotent_requests import claim_request, finish, forget, further_operation, give_up
from tests.ids import new_id
from tests.threads import run_together

BODY = b"fingerprint-1"
OTHER_BODY = b"fingerprint-2"
ANSWER = Answer(201, {"Location": "/api/v1/tweets/1"}, b'{"data": "\xc3\xa9"}')


@pytest.fixture
def user(keys: IdempotencyStore) -> int:
    return new_id()


def take(user: int, body: bytes = BODY, key: str = "k") -> IdempotencyClaim:
    return claim_request(user, key, [body])


def test_a_free_key_is_taken(user: int) -> None:
    claim = take(user)
    assert claim == IdempotencyClaim(BODY, claim.op, claim.op)


def test_a_twin_is_told_to_wait_while_the_first_is_at_it(user: int) -> None:
    take(user)
    with pytest.raises(Busy) as busy:
        take(user)
    assert busy.value.retry_after_seconds > 0


def test_of_many_at_once_one_goes_on(user: int) -> None:
    def try_it() -> IdempotencyClaim | None:
        try:
            return take(user)
        except Busy:
            return None

    assert len([claim for claim in run_together([try_it] * 12) if claim]) == 1


def test_what_was_answered_is_answered_again(user: int) -> None:
    claim = take(user)
    finish(user, "k", claim, ANSWER)
    for _ in range(2):
        assert take(user).answer == ANSWER


@pytest.mark.parametrize("answered", [True, False])
def test_another_request_under_the_key_is_refused(user: int, answered: bool) -> None:
    claim = take(user)
    if answered:
        finish(user, "k", claim, ANSWER)
    with pytest.raises(Refused):
        take(user, OTHER_BODY)


def test_a_request_signed_by_an_older_secret_is_the_same(user: int) -> None:
    finish(user, "k", take(user), ANSWER)
    assert claim_request(user, "k", [OTHER_BODY, BODY]).answer == ANSWER


def test_keys_and_people_do_not_meet(user: int) -> None:
    finish(user, "k", take(user), ANSWER)
    assert take(user, OTHER_BODY, key="K").answer is None
    assert take(new_id(), OTHER_BODY).answer is None


def test_after_a_failure_the_next_goes_on_at_once_under_the_same_operation(user: int) -> None:
    failed = take(user)
    give_up(user, "k", failed)
    retried = take(user)
    assert retried.op == failed.op
    assert retried.holder > failed.holder
    finish(user, "k", retried, ANSWER)
    assert take(user).answer == ANSWER


def test_a_crashed_turn_is_taken_over_once_it_is_old_enough(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed = take(user)
    late = now_us() + idempotency.RUNNING_SECONDS * 1_000_000
    monkeypatch.setattr(idempotent_requests, "now_us", lambda: late)
    assert take(user).op == crashed.op


def test_of_many_one_takes_a_failed_turn_over(user: int) -> None:
    give_up(user, "k", take(user))

    def try_it() -> IdempotencyClaim | None:
        try:
            return take(user)
        except Busy:
            return None

    assert len([claim for claim in run_together([try_it] * 12) if claim]) == 1


def test_who_was_taken_over_changes_nothing_any_more(user: int, keys: IdempotencyStore) -> None:
    slow = take(user)
    assert keys.replace(user, "k", holder=slow.holder, claim=IdempotencyClaim(BODY, slow.op, ids.next()))
    finish(user, "k", slow, ANSWER)
    give_up(user, "k", slow)
    with pytest.raises(Busy):
        take(user)


def test_what_was_never_read_leaves_the_key_free(user: int) -> None:
    forget(user, "k", take(user))
    other = take(user, OTHER_BODY)
    assert other.op == other.holder
    finish(user, "k", other, ANSWER)
    assert take(user, OTHER_BODY).answer == ANSWER


def test_a_claim_that_was_taken_over_is_not_forgotten(user: int) -> None:
    failed = take(user)
    give_up(user, "k", failed)
    forget(user, "k", take(user))
    assert take(user).op == failed.op


def test_who_is_no_longer_the_holder_frees_nothing(user: int, keys: IdempotencyStore) -> None:
    slow = take(user)
    assert keys.replace(user, "k", holder=slow.holder, claim=IdempotencyClaim(BODY, slow.op, ids.next()))
    forget(user, "k", slow)
    keys.remove(user, "never", holder=1)
    with pytest.raises(Busy):
        take(user)


def test_further_writes_of_one_request_have_ids_of_their_own_and_keep_them(user: int) -> None:
    claim = take(user)
    made = [further_operation(user, "k", claim, number) for number in (1, 2, 3)]
    assert len({claim.op, *made}) == 4
    give_up(user, "k", claim)
    retried = take(user)
    assert [further_operation(user, "k", retried, number) for number in (1, 2, 3)] == made
    other = take(user, key="other")
    assert further_operation(user, "other", other, 1) not in made


def test_nothing_is_replaced_where_nothing_stands(user: int, keys: IdempotencyStore) -> None:
    assert not keys.replace(user, "never", holder=1, claim=IdempotencyClaim(BODY, 1, 2))
    assert take(user, key="never").answer is None


def test_keys_of_any_text_and_length(user: int) -> None:
    for key in ("'\"; DROP", "x" * 255, " ~!"):
        finish(user, key, take(user, key=key), ANSWER)
        assert take(user, key=key).answer == ANSWER
