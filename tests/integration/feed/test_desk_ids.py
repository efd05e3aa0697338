"""Digits that are no id are no id, however many they are: nobody's page, nothing found, nothing chosen."""

import pytest

from accounts.models import User
from tests.integration.accounts.admins import post, signed_in
from tests.integration.feed.desking import Desk
from tests.integration.speaking import on_one_store
from tests.people import new_person

pytestmark = [pytest.mark.usefixtures("product"), on_one_store]

TOO_LONG = ["9" * 4_301, "0" * 4_300 + "1", "0" * 20 + "9" * 30, "9" * 20, "\u0661" * 3]
"""Python refuses to read more than 4,300 digits; SQL more than 19."""


@pytest.mark.parametrize("digits", TOO_LONG, ids=lambda digits: ascii(digits)[:24])
def test_no_number_of_digits_breaks_a_page(digits: str) -> None:
    Desk()
    admin = signed_in(new_person(staff=True))
    for model in ("accounts/user", "accounts/staffaction", "feed/report"):
        assert admin.get(f"/admin/{model}/", {"q": digits}).status_code == 200, model
    for page in ("change", "password", "history"):
        assert admin.get(f"/admin/accounts/user/{digits}/{page}/").status_code in (302, 404), page
    for model, action in (("accounts/user", "suspend"), ("auth/group", "delete_selected")):
        chosen = {"action": action, "_selected_action": [digits], "confirmed": "yes", "reason": "why"}
        assert post(admin, f"/admin/{model}/", chosen).status_code == 302, model
    assert not User.objects.exclude(suspended_at=None).exists()
