"""What usernames, addresses and profiles may be."""

import pytest
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.people.rules import (
    RESERVED_USERNAMES,
    Faults,
    Invalid,
    check_email,
    check_password,
    check_username,
    clean_bio,
    clean_display_name,
    clean_email,
)
from tests.unit.tweets.characters import BLANKS, FAMILY, FLAG


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


@pytest.mark.parametrize("username", ["admin", "API", "Me", "support", "root", "settings", "lost_7", "LOST_7_ab"])
def test_reserved_names_are_refused_in_any_case(username: str) -> None:
    with pytest.raises(ValidationError, match="reserved"):
        check_username(username)


def test_what_begins_like_a_lost_account_s_name_is_nobody_s_alone() -> None:
    check_username("lost_soul")


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


@pytest.mark.parametrize(
    "seen", [FAMILY, FLAG, "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "🧑🏻‍❤️‍💋‍🧑🏼", "e\u0301", "각", "क्षि", "葛\U000e0100"], ids=ascii
)  # fmt: skip
@pytest.mark.parametrize(("clean", "most"), [(clean_display_name, 50), (clean_bio, 160)])
def test_a_limit_counts_what_a_person_sees(clean: "type[str]", most: int, seen: str) -> None:
    assert clean(seen * most) == seen * most
    with pytest.raises(ValidationError, match=str(most)):
        clean(seen * (most + 1))


@pytest.mark.parametrize(
    "name",
    [
        "Z" + "\u0301" * 5,
        "Zoe\u0308\u0323\u0330\u031b\u0334",
        "x" + "\u20dd" * 5,
        "A" + "\u200d" * 10_000,
        "\u200d" * 10_000,
        "👩\u200d" * 10_000,
        "👩\u200d" * 12 + "👩",
        "ก" + "\u0e48" * 40,
        "a\u0301" * 601,
        "\u3164" * 700,
    ],
    ids=lambda name: ascii(name[:4]),
)
def test_what_piles_up_on_a_character_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        clean_display_name(name)


@pytest.mark.parametrize("name", ["Việt", "V\u0069\u0065\u0302\u0323t", "שָׁלוֹם", "ཧྐྵྨླྺྼྻྂ", "ที่รัก"], ids=ascii)
def test_what_a_language_puts_on_a_letter_is_kept(name: str) -> None:
    assert clean_display_name(name) == name


@pytest.mark.parametrize("name", BLANKS, ids=ascii)
def test_a_display_name_shows_something(name: str) -> None:
    for hidden in (name, name * 3, f" {name}", f"{name}\u200b\u3164"):
        with pytest.raises(ValidationError, match="visible"):
            clean_display_name(hidden)
    assert clean_bio(name) == ""


@pytest.mark.parametrize("name", ["", " ", "\t", " \r\n "], ids=ascii)
def test_a_display_name_may_be_left_empty(name: str) -> None:
    assert clean_display_name(name) == ""


def test_an_address_is_trimmed_and_its_host_small() -> None:
    assert clean_email("\u00a0 Ada@Example.ORG\n") == "Ada@example.org"


@pytest.mark.parametrize(
    "password", ["ｐａｓｓｗｏｒｄ", "ﷺ", "１２３４５６７８９０１", "e\u0301" * 6, "ａｄａｌｏｖｅｌａｃｅ"]
)
def test_a_password_is_judged_as_it_is_hashed_and_as_it_is_typed(password: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check_password(password, User(username="adalovelace", email="ada@example.org"))
    assert len(set(refused.value.messages)) == len(refused.value.messages)


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
