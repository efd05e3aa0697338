"""Each of Django's own forms and commands keeps the rule for passwords that the API keeps."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from accounts.people import services
from tests.integration.accounts.admins import NEW_PASSWORD, PEOPLE, is_in, post, signed_in
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("database", "redis_servers")

Entered = Callable[[User, str], str]


def own_password_form(person: User, password: str) -> str:
    form = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    return str(post(signed_in(person), "/admin/password_change/", form).content.decode())


def person_s_password_form(person: User, password: str) -> str:
    form = {"usable_password": "true", "password1": password, "password2": password}
    admin = signed_in(new_person(staff=True))
    return str(post(admin, f"{PEOPLE}{person.pk}/password/", form).content.decode())


def changepassword(person: User, password: str) -> str:
    said: list[str] = []

    class Said:
        def write(self, text: str) -> None:
            said.append(text)

    with pytest.MonkeyPatch.context() as typing:
        typing.setattr("getpass.getpass", lambda prompt: password)
        with pytest.raises(CommandError, match="Aborting"):
            call_command("changepassword", person.username, stderr=Said())
    return "".join(said)


@pytest.mark.parametrize("entered", [own_password_form, person_s_password_form, changepassword])
@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("x1" * 501, "at most 1000"),
        ("\u00e9" * 3_000, "at most 1000"),
        ("ｐａｓｓｗｏｒｄ", "too common"),
        ("１２３４５６７８９９", "entirely numeric"),
        ("short-1", "too short"),
        ("countess_of_lovelace", "too similar to the username"),
    ],
    ids=["long", "long in another way", "common", "numeric", "short", "similar"],
)
def test_what_the_api_refuses_is_refused(entered: Entered, password: str, message: str) -> None:
    person = new_person("countess_of_lovelace", staff=True)
    before = person.password
    assert message in entered(person, password)
    person.refresh_from_db()
    assert person.password == before


def test_a_password_of_the_greatest_length_is_taken() -> None:
    person = new_person(staff=True)
    admin, longest = signed_in(person), "x1" * 500
    form = {"old_password": PASSWORD, "new_password1": longest, "new_password2": longest}
    assert post(admin, "/admin/password_change/", form).status_code == 302
    assert services.sign_in(login=person.username, password=longest)


def test_one_s_own_form_asks_for_the_old_password() -> None:
    person = new_person(staff=True)
    admin, other = signed_in(person), signed_in(person)
    for old in ("", "wrong-horse-41", "x" * 60_000):
        form = {"old_password": old, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        assert post(admin, "/admin/password_change/", form).status_code == 200
    assert is_in(other)
    assert services.sign_in(login=person.username, password=PASSWORD)


def test_the_forms_say_what_the_rule_is() -> None:
    page = signed_in(new_person(staff=True)).get("/admin/password_change/").content.decode()
    for said in ("at least 8 characters", "at most 1000 characters", "entirely numeric", "signs out"):
        assert said in page
