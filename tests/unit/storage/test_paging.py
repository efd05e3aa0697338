"""Cursors: opaque, signed, good for as long as the key is known, and nothing else is taken for one."""

import base64
import re

import pytest
from django.core.signing import Signer
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import BadRequest
from storage.ids.snowflakes import MAX_ID
from storage.web.paging import CURSOR_MAX_CHARS, decode_cursor, encode_cursor

PLACE = 1_745_893_026_153_750_528
OLD, NEW = "the-old-key" * 5, "the-new-key" * 5


def is_refused(cursor: str) -> bool:
    with pytest.raises(BadRequest) as refused:
        decode_cursor(cursor)
    return refused.value.code == "bad_cursor"


@given(st.integers(min_value=0, max_value=MAX_ID))
def test_a_cursor_is_the_place_that_it_was_made_of(place: int) -> None:
    cursor = encode_cursor(place)
    assert decode_cursor(cursor) == place
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", cursor), "goes into a URL as it is"


@pytest.mark.parametrize("place", [0, 1, 255, 256, PLACE, 2**62, MAX_ID - 1, MAX_ID])
def test_the_bounds(place: int) -> None:
    assert decode_cursor(encode_cursor(place)) == place


def test_the_id_cannot_be_read_off_it() -> None:
    assert str(PLACE) not in encode_cursor(PLACE)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        ".",
        "..",
        "0",
        str(PLACE),
        "nonsense",
        "AAAAAAAAAAE",
        "AAAAAAAAAAE.",
        ".AAAAAAAAAAE",
        "\x00",
        "ü" * 20,
        "\ud800",
        "👩‍👩‍👧‍👦.👩‍👩‍👧‍👦",
        "a" * CURSOR_MAX_CHARS,
        "a" * 10_000_000,
    ],
    ids=lambda cursor: ascii(cursor[:20]),
)
def test_nonsense_is_refused(cursor: str) -> None:
    assert is_refused(cursor)


@given(st.text(max_size=80))
def test_no_text_at_all_breaks_it(text: str) -> None:
    assert is_refused(text)


def test_a_changed_cursor_is_refused() -> None:
    cursor, other = encode_cursor(PLACE), encode_cursor(PLACE - 1)
    place, signature = cursor.split(".")
    assert is_refused(f"{other.split('.')[0]}.{signature}"), "somebody else's signature"
    assert is_refused(f"{place}.{signature[:-1]}")
    assert is_refused(f"{place}.{signature}x")
    assert is_refused(place)
    assert is_refused(cursor[1:])
    assert is_refused(cursor.swapcase())
    assert is_refused(f" {cursor}")
    assert is_refused(cursor + "\n")


@pytest.mark.parametrize("packed", ["AAAA", "//////////8", "__________8", "!!!!", "AAAAAAAAAAE=", ""])
def test_what_we_have_signed_for_something_else_is_refused(packed: str) -> None:
    assert is_refused(Signer(salt="somewhere.else", sep=".").sign("AAAAAAAAAAE"))
    if packed != "AAAA":
        assert is_refused(Signer(salt="storage.paging.cursor", sep=".").sign(packed))


def test_another_installation_s_cursor_is_refused() -> None:
    with override_settings(SECRET_KEY=OLD):
        cursor = encode_cursor(PLACE)
    with override_settings(SECRET_KEY=NEW):
        assert is_refused(cursor)


def test_old_cursors_outlive_a_change_of_the_key() -> None:
    with override_settings(SECRET_KEY=OLD):
        cursor = encode_cursor(PLACE)
    with override_settings(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD]):
        assert decode_cursor(cursor) == PLACE
        assert encode_cursor(PLACE) != cursor, "new ones are signed with the new key"


def test_eight_bytes_are_in_it() -> None:
    assert base64.urlsafe_b64decode(encode_cursor(PLACE).split(".")[0] + "=") == PLACE.to_bytes(8, "big")


def test_a_cursor_of_another_release_is_good() -> None:
    """As one was made in November 2026, before the packages had rooms."""
    with override_settings(SECRET_KEY="a" * 40):
        assert encode_cursor(7265412345678901248) == "ZNPuCNrtsAA.gP-s7z5G2gZXn_37dYJCrnywCXwFxc9VCoYMA36NTMI"
