"""A case is decided once: double clicks, several pages of it, what is reported and noted meanwhile."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.test import Client

from accounts.models import User
from accounts.people import suspending
from accounts.staff.roles import Role
from accounts.staff_rows import StaffAction
from feed.models import Claim, Decision, Kind, Reason, Report, Status
from feed.moderation import deciding, queue
from feed.moderation.queue import Target
from storage.errors import Refused
from storage.ids.snowflakes import MAX_ID
from tests.integration.accounts.admins import post, signed_in
from tests.integration.accounts.test_stamp_migration import postgres, sqlite
from tests.integration.feed.desking import carried_by, decide
from tests.integration.speaking import on_one_store
from tests.people import new_person, new_staff
from tests.threads import run_together

__all__ = ["postgres", "sqlite"]

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]


def reported(author: User) -> Report:
    return Report.objects.create(reporter=new_person(), person=author, reason=Reason.SPAM)


def target_of(author: User) -> Target:
    reported(author)
    return Target(Kind.PERSON, author.pk)


@pytest.fixture
def moderator() -> User:
    return new_staff(Role.MODERATOR)


@pytest.fixture
def author() -> User:
    return new_person()


@pytest.fixture
def client(moderator: User) -> Client:
    return signed_in(moderator)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_of_two_decisions_at_once_one_is_carried_out(request: pytest.FixtureRequest, engine: str) -> None:
    request.getfixturevalue(engine)
    moderator, author = new_staff(Role.MODERATOR), new_person()
    target = target_of(author)
    token = deciding.claim(target, by=moderator).token

    def decided(verdict: str) -> bool:
        try:
            deciding.decide(target, by=moderator, token=token, seen=MAX_ID, verdict=verdict, note="x")
        except Refused:
            return False
        return True

    dismissed, suspended = run_together([partial(decided, verdict) for verdict in ("dismiss", "suspend")])
    assert dismissed is not suspended
    assert Decision.objects.get().verdict == ("suspend" if suspended else "dismiss")
    author.refresh_from_db()
    assert (author.suspended_at is not None) is suspended


def test_while_it_is_carried_out_it_is_neither_decided_nor_claimed_nor_left(
    moderator: User, author: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, suspend = target_of(author), suspending.suspend
    token, refused = deciding.claim(target, by=moderator).token, []

    def overtaken(person: User, **how: object) -> None:
        deciding.release(target, by=moderator)
        for again in (token, "", Claim.objects.get().token):
            with pytest.raises(Refused):
                deciding.decide(target, by=moderator, token=again, seen=MAX_ID, verdict="warn", note="x")
            refused.append(again)
        for other in (moderator, new_staff(Role.MODERATOR)):
            with pytest.raises(Refused):
                deciding.claim(target, by=other)
        suspend(person, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(suspending, "suspend", overtaken)
    deciding.decide(target, by=moderator, token=token, seen=MAX_ID, verdict="suspend", note="x")
    assert len(refused) == 3
    assert Decision.objects.get().verdict == "suspend"
    assert not Claim.objects.exists()


def test_what_is_decided_already_when_it_is_to_be_written_down_is_refused(
    moderator: User, author: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a process stood still for longer than a claim lasts."""
    target, suspend = target_of(author), suspending.suspend

    def overtaken(person: User, **how: object) -> None:
        suspend(person, **how)  # type: ignore[arg-type]
        Report.objects.update(status=Status.CLOSED)

    monkeypatch.setattr(suspending, "suspend", overtaken)
    with pytest.raises(Refused, match="open any more"):
        decide(target, by=moderator, verdict="suspend", note="x")
    assert not Decision.objects.exists()
    assert not StaffAction.objects.filter(action__startswith="decide").exists()


def test_what_a_dead_process_left_half_decided_is_anybody_s_after_its_time(moderator: User, author: User) -> None:
    target, other = target_of(author), new_staff(Role.MODERATOR)
    deciding.claim(target, by=moderator)
    Claim.objects.update(token="")
    with pytest.raises(Refused):
        deciding.claim(target, by=moderator)
    Claim.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    decide(target, by=other, verdict="dismiss", note="x")
    assert Decision.objects.get().by == other


def test_a_page_from_before_another_decision_decides_nothing(client: Client, author: User) -> None:
    path = f"/admin/desk/moderation/person/{target_of(author).id}/"
    post(client, path, {"act": "claim"})
    form = {"act": "decide", "verdict": "warn", "reason": "x", **carried_by(client.get(path).content.decode())}
    assert post(client, path, form)["Location"] == "/admin/desk/moderation/"
    reported(author)
    post(client, path, {"act": "claim"})
    assert "It was decided meanwhile" in client.get(post(client, path, form)["Location"]).content.decode()
    assert Decision.objects.count() == 1


def test_what_was_reported_after_the_page_was_made_waits(client: Client, author: User) -> None:
    seen = target_of(author)
    path = f"/admin/desk/moderation/person/{seen.id}/"
    post(client, path, {"act": "claim"})
    carried = carried_by(client.get(path).content.decode())
    later = reported(author)
    post(client, path, {"act": "decide", "verdict": "dismiss", "reason": "x", **carried})
    assert [*Report.objects.filter(status=Status.OPEN)] == [later]
    assert Report.objects.exclude(pk=later.pk).get().status == Status.CLOSED


def test_all_that_are_open_are_counted(client: Client, author: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "SHOWN", 2)
    path = f"/admin/desk/moderation/person/{target_of(author).id}/"
    for _ in range(2):
        reported(author)
    assert "Open reports: 3; the newest 2 are shown" in client.get(path).content.decode()


def test_a_note_of_a_single_report_is_kept(moderator: User, author: User) -> None:
    target, noted = target_of(author), reported(author)
    Report.objects.filter(pk=noted.pk).update(note="She wrote to us as well.")
    decide(target, by=moderator, verdict="dismiss", note="nothing")
    assert {*Report.objects.values_list("note", flat=True)} == {"She wrote to us as well.", "nothing"}
