"""What usernames, addresses and profiles may be."""

import pytest
from django.core.exceptions import ValidationError

from accounts.people.rules import (
    RESERVED_USERNAMES,
    Faults,
    Invalid,
    check_email,
    check_username,
    clean_bio,
    clean_display_name,
)


@pytest.mark.parametrize("username", ["a", "Ada_1815", "_", "123", "x" * 30])
def test_usernames(username: str) -> None:
    check_username(username)


@pytest.mark.parametrize(
    "username",
    [
        "",
        "x" * 31,
        "two words",
        "dash-ed",
        "dot.ted",
        "ad\u0430",  # Cyrillic a
        "ada\u200d",  # zero-width joiner
        "\u202eada",  # right-to-left override
        "\uff41da",  # full-width a
        "\u212aelvin",  # Kelvin sign, which lower-cases to k
        "ada\n",
        "ada\x00",
        "é",
        "\u0661",  # Arabic-Indic digit one
    ],
)
def test_names_that_could_imitate_or_break_something_are_refused(username: str) -> None:
    with pytest.raises(ValidationError, match="letters a to z"):
        check_username(username)


@pytest.mark.parametrize("username", ["admin", "API", "Me", "support", "root", "settings"])
def test_reserved_names_are_refused_in_any_case(username: str) -> None:
    with pytest.raises(ValidationError, match="reserved"):
        check_username(username)


def test_reserved_names_are_written_in_lower_case() -> None:
    assert {name.lower() for name in RESERVED_USERNAMES} == RESERVED_USERNAMES


@pytest.mark.parametrize(
    "email",
    ["", "ada", "a@", "@b.org", "a b@c.org", "a\x00@b.org", "\u212a@b.org", '"a\x01"@b.org', "a@b.org\n", "é@b.org"],
)
def test_addresses_that_are_refused(email: str) -> None:
    with pytest.raises(ValidationError):
        check_email(email)


def test_an_address_has_at_most_254_characters() -> None:
    longest = "a@" + ".".join(["b" * 61] * 4) + ".org"
    check_email(longest)
    with pytest.raises(ValidationError, match="254"):
        check_email("a" * (255 - len(longest)) + longest)


def test_display_names_lose_what_would_break_a_page() -> None:
    assert clean_display_name("  Ada\n \x1bLove\u202elace\x7f ") == "Ada Lovelace"
    assert clean_display_name("👩‍💻 Ada") == "👩‍💻 Ada"


def test_a_bio_keeps_its_lines() -> None:
    assert clean_bio("one\r\ntwo\x07\n") == "one\ntwo"


@pytest.mark.parametrize(("clean", "most"), [(clean_display_name, 50), (clean_bio, 160)])
def test_lengths_are_counted_after_cleaning(clean: "type[str]", most: int) -> None:
    assert clean(" " + "é" * most + "\x01") == "é" * most
    with pytest.raises(ValidationError, match=str(most)):
        clean("é" * (most + 1))
    with pytest.raises(ValidationError, match="Null"):
        clean("a\x00b")


def test_faults_are_collected_by_field() -> None:
    faults = Faults()
    faults.refuse()
    faults.note("a", "one")
    faults.note("a", "two")
    with faults.of("b"):
        check_email("a@b.org")
    with faults.of("c"):
        check_username("root")
    with pytest.raises(Invalid) as caught:
        faults.refuse()
    assert caught.value.errors == {"a": ["one", "two"], "c": ["This username is reserved."]}
