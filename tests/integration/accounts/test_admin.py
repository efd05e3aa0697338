"""What operators do in the admin, and that it holds for the API at once."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.account_cache import accounts
from accounts.account_cache.change_log import recent_changes
from accounts.models import User
from accounts.people import services, suspending
from accounts.sessions import tokens
from accounts.staff_rows import StaffAction
from storage.errors import Forbidden, NotSignedIn
from storage.redis.generations import begin
from storage.redis.node import timeline_node
from tests.people import PASSWORD, ApiClient, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

PEOPLE = "/admin/accounts/user/"
NEW_PASSWORD = "another-horse-42"


@pytest.fixture
def operator() -> User:
    return new_person("boss", staff=True)


@pytest.fixture
def admin(operator: User) -> Client:
    return signed_in("boss")


def signed_in(username: str) -> Client:
    """An admin client that keeps Django's CSRF rule, as a browser does."""
    client = Client(enforce_csrf_checks=True)
    client.get("/admin/login/")
    answer = post(client, "/admin/login/?next=/admin/", {"username": username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def post(client: Client, path: str, form: dict[str, Any]) -> Any:
    return client.post(path, {**form, "csrfmiddlewaretoken": client.cookies["csrftoken"].value})


def act(client: Client, action: str, *people: User) -> str:
    chosen = {"action": action, "_selected_action": [str(person.pk) for person in people]}
    answer = post(client, PEOPLE, {**chosen, "confirmed": "yes", "reason": "for a reason"})
    assert answer.status_code == 302
    return str(client.get(PEOPLE).content)


def history(person: User) -> list[str]:
    """What the log of staff says that was done to the person."""
    done = StaffAction.objects.filter(subject_kind="person", subject_id=person.pk).order_by("pk")
    return [*done.values_list("action", flat=True)]


def test_only_staff_sign_in_by_a_username_in_any_case(operator: User) -> None:
    new_person("ada")
    client = Client()
    refused = client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    assert refused.status_code == 200
    assert client.get(PEOPLE).status_code == 302
    signed_in("BOSS")


def test_without_csrf_token_nothing_happens(admin: Client) -> None:
    ada = new_person("ada")
    answer = admin.post(PEOPLE, {"action": "suspend", "_selected_action": [str(ada.pk)]})
    assert answer.status_code == 403
    ada.refresh_from_db()
    assert ada.is_active


def test_people_are_listed_searched_and_filtered(admin: Client, operator: User) -> None:
    ada, bob = new_person("Ada"), new_person("bob")
    suspending.suspend(bob, by=operator)

    def found(query: str) -> set[str]:
        answer = admin.get(f"{PEOPLE}?{query}")
        assert answer.status_code == 200
        return {person.username for person in answer.context["cl"].result_list}

    assert found("") == {"boss", "Ada", "bob"}
    assert found("q=aD") == found("q=@ada") == found("q=ADA@example.org") == found(f"q={ada.pk}") == {"Ada"}
    assert found("q=example.org") == found("q=99999999999999999999999") == set()
    assert found("suspended=yes") == {"bob"}
    assert found("suspended=no") == {"boss", "Ada"}
    assert found("is_staff__exact=1") == {"boss"}


def test_suspending_and_restoring(admin: Client, operator: User) -> None:
    ada, bob = new_person("ada"), new_person("bob")
    raw = tokens.issue(ada)
    tokens.authenticate(raw)
    assert "Suspended: @bob, @ada." in act(admin, "suspend", ada, bob)
    with pytest.raises(Forbidden):
        tokens.authenticate(raw)
    ada.refresh_from_db()
    assert ada.suspended_by == operator
    assert "Restored: @ada." in act(admin, "restore", ada)
    assert tokens.authenticate(raw).id == ada.id
    assert history(ada) == ["suspend", "restore"]
    assert history(bob) == ["suspend"]


def test_nobody_suspends_themselves(admin: Client, operator: User) -> None:
    assert "You cannot act on yourself." in act(admin, "suspend", operator)
    assert admin.get(PEOPLE).status_code == 200


def test_a_suspended_operator_is_out_with_the_next_click(admin: Client, operator: User) -> None:
    suspending.suspend(operator, by=operator)
    assert admin.get(PEOPLE).status_code == 302


def test_signing_someone_out_everywhere(admin: Client) -> None:
    ada = new_person("ada")
    clients = [ApiClient(ada), ApiClient(ada)]
    assert [client.get("/api/v1/me").status_code for client in clients] == [200, 200]
    assert "Signed out: @ada." in act(admin, "sign_out", ada)
    assert [client.get("/api/v1/me").status_code for client in clients] == [401, 401]


def test_adding_a_person(admin: Client) -> None:
    form = {"username": "Grace", "email": "grace@example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = post(admin, f"{PEOPLE}add/", form)
    grace = services.sign_in(login="grace", password=PASSWORD)
    assert answer["Location"] == f"{PEOPLE}{grace.pk}/change/"
    assert (grace.display_name, grace.is_staff, grace.id > 10**18) == ("Grace", False, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"username": "BOSS"}, "This username is taken."),
        ({"email": "Boss@Example.org"}, "This e-mail address is taken."),
        ({"username": "root"}, "This username is reserved."),
        ({"username": "a b"}, "letters a to z"),
        ({"password1": "123", "password2": "123"}, "too short"),
        ({"password1": "ｐａｓｓｗｏｒｄ", "password2": "ｐａｓｓｗｏｒｄ"}, "too common"),
        ({"password1": "x1" * 501, "password2": "x1" * 501}, "at most 1000"),
    ],
)
def test_adding_keeps_the_rules(admin: Client, change: dict[str, str], message: str) -> None:
    form = {"username": "Grace", "email": "grace@example.org", "password1": PASSWORD, "password2": PASSWORD, **change}
    answer = post(admin, f"{PEOPLE}add/", form)
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert User.objects.count() == 1


def test_setting_a_password_ends_every_token(admin: Client) -> None:
    ada = new_person("ada")
    raw = tokens.issue(ada)
    tokens.authenticate(raw)
    form = {"usable_password": "true", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert admin.get(f"{PEOPLE}{ada.pk}/password/").status_code == 200
    assert post(admin, f"{PEOPLE}{ada.pk}/password/", form).status_code == 302
    with pytest.raises(NotSignedIn):
        tokens.authenticate(raw)
    assert services.sign_in(login="ada", password=NEW_PASSWORD).pk == ada.pk


def test_a_password_set_here_is_the_same_on_every_keyboard(admin: Client) -> None:
    ada = new_person("ada")
    typed, elsewhere = "Zoe\u0308\u00a0horse 42", "Zo\u00eb horse 42"
    form = {"usable_password": "true", "password1": typed, "password2": typed}
    assert post(admin, f"{PEOPLE}{ada.pk}/password/", form).status_code == 302
    assert services.sign_in(login="ada", password=elsewhere).pk == ada.pk
    form = {"username": "Grace", "email": " grace@Example.org ", "password1": typed, "password2": typed}
    assert post(admin, f"{PEOPLE}add/", form).status_code == 302
    assert services.sign_in(login=" grace@example.org", password=elsewhere).email == "grace@example.org"
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    credentials = {"username": "ada", "password": elsewhere}
    assert Client().post("/admin/login/?next=/admin/", credentials).status_code == 302


@pytest.mark.parametrize("name", ["\u200b", "\u2800", "\u00ad\u2060"], ids=ascii)
def test_a_display_name_shows_something_here_as_well(admin: Client, name: str) -> None:
    ada = new_person("ada")
    form = {"display_name": name, "email": ada.email, "bio": "", "avatar_url": ""}
    answer = post(admin, f"{PEOPLE}{ada.pk}/change/", form)
    assert "needs at least one visible character" in answer.content.decode()


def test_changing_a_profile_shows_on_the_card_and_in_the_token_check_at_once(admin: Client) -> None:
    ada = new_person("ada")
    raw = tokens.issue(ada)
    tokens.authenticate(raw)
    form = {"display_name": "Countess", "email": ada.email, "bio": "", "avatar_url": "", "verified": "on"}
    answer = post(admin, f"{PEOPLE}{ada.pk}/change/", form | {"is_staff": "on"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    account = tokens.authenticate(raw).account
    assert (account.display_name, account.verified, account.is_staff) == ("Countess", True, True)
    [recent] = timeline_node().ask(recent_changes(0))
    assert accounts.accounts_by_id([ada.id], changes=recent, generation=begin(timeline_node()))[ada.id] == account
    [entry] = StaffAction.objects.filter(subject_id=ada.pk)
    assert (entry.before["display_name"], entry.after["display_name"]) == ("ada", "Countess")
    assert (entry.before["is_staff"], entry.after["is_staff"]) == (False, True)


def test_the_change_page_shows_but_does_not_change_id_and_username(admin: Client) -> None:
    ada = new_person("ada")
    page = admin.get(f"{PEOPLE}{ada.pk}/change/").content.decode()
    assert str(ada.pk) in page
    assert 'name="username"' not in page
    assert admin.get(f"{PEOPLE}{ada.pk}/history/").status_code == 200
    assert admin.post(f"{PEOPLE}{ada.pk}/delete/").status_code == 403


@pytest.mark.parametrize("path", ["/admin/", "/admin/knox/authtoken/"])
def test_tokens_are_not_in_the_admin(admin: Client, path: str) -> None:
    answer = admin.get(path)
    assert "authtoken" not in answer.content.decode() or answer.status_code == 404


def test_a_moderator_neither_gives_privileges_nor_touches_superusers(operator: User) -> None:
    moderator = new_person("mod_1")
    User.objects.filter(pk=moderator.pk).update(is_staff=True)
    moderator.user_permissions.set(
        Permission.objects.filter(codename__in=("change_user", "view_user", "suspend_people"))
    )
    client, ada = signed_in("mod_1"), new_person("ada")
    form = {"display_name": "Ada", "email": ada.email, "is_staff": "on", "is_superuser": "on"}
    assert post(client, f"{PEOPLE}{ada.pk}/change/", form).status_code == 302
    ada.refresh_from_db()
    assert (ada.display_name, ada.is_staff, ada.is_superuser) == ("Ada", False, False)
    assert client.get(f"{PEOPLE}{operator.pk}/password/").status_code == 403
    assert "Suspended: @ada." in act(client, "suspend", ada, operator)
    operator.refresh_from_db()
    assert operator.is_active


def test_createsuperuser(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    options = {"interactive": False, "username": "admin", "email": "admin@example.org"}
    call_command("createsuperuser", **options)
    assert signed_in("admin").get(PEOPLE).status_code == 200
    with pytest.raises(CommandError, match="taken"):
        call_command("createsuperuser", **options)


def test_a_password_of_the_command_line_is_the_same_on_every_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "Zoe\u0308 horse 42")
    call_command("createsuperuser", interactive=False, username="admin", email="admin@example.org")
    assert services.sign_in(login="admin", password="Zo\u00eb\u00a0horse 42")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "Zoe\u0308 mare 43")
    call_command("changepassword", "admin")
    assert services.sign_in(login="admin", password="Zo\u00eb mare 43")
