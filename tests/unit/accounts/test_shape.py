"""What is known of a person has one set of fields: as an account, as shown, and as it may be changed."""

from accounts.doors.rest_accounts import EXAMPLE_USER, ProfileInput
from accounts.entities import Account
from accounts.people.profiles import OwnUserOut, UserOut
from accounts.people.services import PROFILE_RULES, ProfileChange
from accounts.sql import ACCOUNT_COLUMNS


def test_the_example_is_an_own_account() -> None:
    assert EXAMPLE_USER.keys() == {*OwnUserOut.__struct_fields__}


def test_what_is_taken_can_be_changed() -> None:
    assert {*ProfileInput().fields} == {*ProfileChange.__struct_fields__}
    assert {*PROFILE_RULES} < {*ProfileChange.__struct_fields__}
    assert {*PROFILE_RULES} < {*UserOut.__struct_fields__}, "what everyone sees"


def test_an_account_has_all_that_is_shown_of_it() -> None:
    derived = {"created_at"}
    assert {*UserOut.__struct_fields__} - derived <= {*Account.__struct_fields__}
    assert [name.removesuffix("_at") for name in ACCOUNT_COLUMNS] == [*Account.__struct_fields__]
