"""One's own account over REST, and who sees a changed account when."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.account_cache import accounts, change_log
from accounts.account_cache.changes import note_change
from accounts.account_cache.vouching import VOUCHED_SECONDS, look
from accounts.models import User
from accounts.people import services, suspending
from accounts.people.services import ProfileChange
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from storage.redis.shards import Generations
from tests.backends import counted_round_trips, timeline_redis_down, vouch_for_none
from tests.ids import new_id
from tests.integration.conftest import LASTING_SECONDS
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")


@pytest.fixture(autouse=True)
def a_fresh_process() -> None:
    accounts.forget_all()


def log() -> change_log.Changes:
    [found] = timeline_node().ask(change_log.recent_changes(0))
    assert found is not None
    return found


def generation_now() -> Generations:
    return begin(timeline_node())


def in_another_process(change: Any) -> None:
    """Runs `change` so that this process's memory does not hear of it by itself."""
    kept = dict(accounts._memory._entries)
    change()
    accounts._memory._entries.update(kept)


def shown_name(person: User) -> str:
    """As hydration asks: the log first, then the accounts."""
    return accounts.accounts_by_id([person.id], changes=log(), generation=generation_now())[person.id].display_name


def patch(client: ApiClient, change: dict[str, Any]) -> Any:
    return client.patch("/api/v1/me", change, "application/json")


def test_me_and_changing_it() -> None:
    client = ApiClient(new_person("ada"))
    change = {"display_name": " Ada  Lovelace ", "bio": "Notes.", "email": "ada@new.example"}
    answer = patch(client, {**change, "current_password": PASSWORD})
    assert answer.status_code == 200
    data = client.get("/api/v1/me").json()["data"]
    assert data == answer.json()["data"]
    assert (data["display_name"], data["bio"], data["email"]) == ("Ada Lovelace", "Notes.", "ada@new.example")


def test_an_empty_change_is_fine_and_an_empty_name_falls_back_to_the_username() -> None:
    client = ApiClient(new_person("ada"))
    assert patch(client, {}).status_code == 200
    assert patch(client, {"display_name": "Ada"}).json()["data"]["display_name"] == "Ada"
    assert patch(client, {"display_name": " \t"}).json()["data"]["display_name"] == "ada"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bio": "x" * 161}, "bio"),
        ({"bio": None}, "bio"),
        ({"display_name": 7}, "display_name"),
        ({"display_name": "x" * 51}, "display_name"),
        ({"display_name": "\u200b"}, "display_name"),
        ({"display_name": "\u3164\u2800"}, "display_name"),
        ({"display_name": "Z" + "\u0301" * 40}, "display_name"),
        ({"display_name": "\u200d" * 10_000}, "display_name"),
        ({"email": "nonsense"}, "email"),
        ({"email": "BOB@example.org", "current_password": PASSWORD}, "email"),
        ({"email": "BOB@example.org"}, "current_password"),
        ({"email": "BOB@example.org", "current_password": "wrong"}, "current_password"),
        ({"email": "new@example.org"}, "current_password"),
        ({"password": "another-horse-42"}, "current_password"),
        ({"password": "another-horse-42", "current_password": "wrong"}, "current_password"),
        ({"password": "short", "current_password": PASSWORD}, "password"),
    ],
)
def test_refused_changes_change_nothing(change: dict[str, Any], field: str) -> None:
    new_person("bob")
    client = ApiClient(new_person("ada"))
    before = client.get("/api/v1/me").json()
    answer = patch(client, {"display_name": "New", **change})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
    assert client.get("/api/v1/me").json() == before
    assert services.sign_in(login="ada", password=PASSWORD)


def test_the_longest_name_and_bio_are_stored_as_they_show() -> None:
    client = ApiClient(new_person("ada"))
    longest = "🧑🏻‍❤️‍💋‍🧑🏼"
    change = {"display_name": longest * 50, "bio": longest * 160}
    assert patch(client, change).status_code == 200
    shown = client.get("/api/v1/users/ada").json()["data"]
    assert {name: shown[name] for name in change} == change
    assert patch(client, {"bio": "a\tb\u2028c\rd\r\ne\u00a0f\u202eg"}).json()["data"]["bio"] == "a b c d\ne fg"


def test_ones_own_address_in_another_case_is_not_taken() -> None:
    client = ApiClient(new_person("ada"))
    change = {"email": "ADA@example.org", "current_password": PASSWORD}
    assert patch(client, change).json()["data"]["email"] == "ADA@example.org"


def test_what_someone_else_changes_meanwhile_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_before_an_operator_verifies(user_id: int) -> User:
        read = User.objects.get(pk=user_id)
        User.objects.filter(pk=user_id).update(verified=True)
        return read

    monkeypatch.setattr(services, "get_user", read_before_an_operator_verifies)
    person = services.update_profile(new_person("ada").id, ProfileChange(bio="mine"))
    person.refresh_from_db()
    assert (person.bio, person.verified) == ("mine", True)


def test_inside_a_transaction_nothing_is_announced_before_its_commit() -> None:
    ada, bob = new_person(), new_person()
    with transaction.atomic():
        services.update_profile(ada.id, ProfileChange(display_name="New"))
        suspending.suspend(bob, by=ada)
        assert log() == {}
    assert set(log()) == {ada.id, bob.id}


def test_cards_cost_nothing_from_memory_one_trip_from_redis_one_query_from_sql() -> None:
    people = [new_person() for _ in range(30)]
    ids = [person.id for person in people]
    generation = generation_now()

    def cost(**options: Any) -> tuple[int, int]:
        recent = log()
        with counted_round_trips() as trips, CaptureQueriesContext(connection) as queries:
            found = accounts.accounts_by_id([*ids, 1], changes=recent, generation=generation, **options)
        assert found == {person.id: person.account for person in people}
        return len(trips), len(queries)

    assert cost() == (2, 1)
    del ids[30:]
    with counted_round_trips() as trips:
        assert len(accounts.accounts_by_id(ids, changes={}, generation=generation)) == 30
    assert len(trips) == 0
    accounts.forget_all()
    with counted_round_trips() as trips, CaptureQueriesContext(connection) as queries:
        assert len(accounts.accounts_by_id(ids, changes={}, generation=generation)) == 30
    assert (len(trips), len(queries)) == (1, 0)


def test_no_ids_cost_nothing() -> None:
    with counted_round_trips() as trips:
        assert accounts.accounts_by_id([], changes={}) == accounts.accounts_by_id([]) == {}
    assert not trips


@pytest.mark.parametrize("round_", range(2))
def test_a_change_by_another_process_is_seen_at_once_although_remembered(round_: int) -> None:
    person = new_person()
    assert shown_name(person) == person.username
    for name in ("First", "Second"):
        in_another_process(lambda name=name: services.update_profile(person.id, ProfileChange(display_name=name)))
        assert shown_name(person) == name


def test_a_changed_account_is_remembered_again_after_one_read() -> None:
    person = new_person()
    services.update_profile(person.id, ProfileChange(display_name="New"))
    assert shown_name(person) == "New"
    recent, generation = log(), generation_now()
    with counted_round_trips() as trips, CaptureQueriesContext(connection) as queries:
        accounts.accounts_by_id([person.id], changes=recent, generation=generation)
    assert (len(trips), len(queries)) == (0, 0)


def test_a_read_under_way_during_the_change_leaves_nothing_old_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the log and SQL, then the change happens, then it fills Redis and memory."""
    person = new_person()
    original = accounts._fill

    def change_first(*given: Any) -> None:
        monkeypatch.setattr(accounts, "_fill", original)
        in_another_process(lambda: services.update_profile(person.id, ProfileChange(display_name="New")))
        original(*given)

    monkeypatch.setattr(accounts, "_fill", change_first)
    assert shown_name(person) == person.username
    assert shown_name(person) == "New"


def test_a_suspension_shows_on_the_card_at_once() -> None:
    person = new_person()
    shown_name(person)
    in_another_process(lambda: suspending.suspend(person, by=person))
    assert accounts.accounts_by_id([person.id], changes=log(), generation=generation_now())[person.id].suspended


def test_a_password_or_address_does_not_show_on_the_card() -> None:
    person = new_person()
    services.update_profile(person.id, ProfileChange(email="new@example.org", current_password=PASSWORD))
    assert log() == {}


def test_the_log_ends_by_itself() -> None:
    person = new_person()
    note_change(person.id)
    [seconds] = timeline_node().round_trip(("TTL", change_log.log_key(0)))
    assert 0 < seconds <= change_log.LOG_SECONDS
    assert change_log.LOG_SECONDS >= accounts.LOCAL_SECONDS + 10


def test_without_redis_cards_come_from_memory_then_sql() -> None:
    known, unknown = new_person(), new_person()
    shown_name(known)
    with timeline_redis_down(), CaptureQueriesContext(connection) as queries:
        assert set(accounts.accounts_by_id([known.id, unknown.id])) == {known.id, unknown.id}
    assert len(queries) == 1
    assert str(unknown.id) in queries[0]["sql"]
    assert str(known.id) not in queries[0]["sql"]


def test_what_the_log_refutes_is_not_taken_from_memory_though_redis_went_away_after_it() -> None:
    person = new_person()
    shown_name(person)
    in_another_process(lambda: services.update_profile(person.id, ProfileChange(display_name="New")))
    recent, generation = log(), generation_now()
    with timeline_redis_down():
        found = accounts.accounts_by_id([person.id], changes=recent, generation=generation)
        assert found[person.id].display_name == "New"
    assert shown_name(person) == "New"


def test_what_memory_gave_without_redis_is_remembered_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log forgot the change when Redis was emptied: no generation of later vouches for what was fetched before."""
    monkeypatch.setattr(accounts, "LOCAL_SECONDS", LASTING_SECONDS)
    person = new_person()
    shown_name(person)
    in_another_process(lambda: services.update_profile(person.id, ProfileChange(display_name="New")))
    timeline_node().round_trip(("FLUSHALL",))
    asked: dict[str, Any] = {"changes": log(), "generation": generation_now()}
    with timeline_redis_down():
        assert accounts.accounts_by_id([person.id], **asked)[person.id].display_name == person.username
    assert accounts.accounts_by_id([person.id], **asked)[person.id].display_name == "New"


def test_a_change_without_redis_is_seen_when_somebody_has_told_it() -> None:
    person = new_person()
    shown_name(person)

    def change() -> None:
        with timeline_redis_down():
            services.update_profile(person.id, ProfileChange(display_name="New"))

    in_another_process(change)
    assert shown_name(person) == person.username
    assert look()
    assert shown_name(person) == "New"


def test_a_change_without_redis_is_seen_within_ten_seconds_if_nobody_can_tell_it() -> None:
    """When the vouch has ended that stood before, and the entry that was taken into memory just before."""
    person = new_person()
    shown_name(person)

    def change() -> None:
        with timeline_redis_down():
            services.update_profile(person.id, ProfileChange(display_name="New"))

    in_another_process(change)
    vouch_for_none()
    accounts.forget_all()
    assert shown_name(person) == "New"
    assert VOUCHED_SECONDS + accounts.LOCAL_SECONDS <= 10


def test_cards_of_many_people_take_one_statement_for_each_256() -> None:
    people = [User(id=new_id(), username=f"many{number}", email=f"many{number}@example.org") for number in range(300)]
    User.objects.bulk_create(people)
    with CaptureQueriesContext(connection) as queries:
        found = accounts._from_sql([person.id for person in people])
    assert found == {person.id: person.account for person in people}
    assert len(queries) == 2
