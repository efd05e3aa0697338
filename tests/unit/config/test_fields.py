"""Fields that are put on an answer past Django's look at each: they are what Django would have put there."""

import pytest
from django.http import HttpResponse
from django.http.response import BadHeaderError

from config.http.fields import prepared, put_missing, vary_by


def test_they_are_sent_like_any() -> None:
    answer, djangos = HttpResponse(), HttpResponse()
    put_missing(answer, prepared({"X-One": "1", "X-Two": "2"}))
    djangos["X-One"], djangos["X-Two"] = "1", "2"
    assert sorted(answer.items()) == sorted(djangos.items())
    assert answer["x-one"] == "1"
    assert answer.has_header("X-TWO")
    del answer["X-One"]
    assert not answer.has_header("X-One")


def test_what_the_answer_says_stands() -> None:
    answer = HttpResponse(headers={"x-one": "mine"})
    put_missing(answer, prepared({"X-One": "1", "Content-Type": "x/y"}))
    assert (answer["X-One"], answer["Content-Type"]) == ("mine", "text/html; charset=utf-8")


def test_two_answers_share_nothing() -> None:
    one, other, fields = HttpResponse(), HttpResponse(), prepared({"X-One": "1"})
    put_missing(one, fields)
    put_missing(other, fields)
    one["X-One"] = "2"
    assert (other["X-One"], fields["x-one"]) == ("1", ("X-One", "1"))


def test_what_must_not_stand_in_a_header_is_not_prepared() -> None:
    with pytest.raises(BadHeaderError):
        prepared({"X-One": "1\r\nSet-Cookie: a=b"})


@pytest.mark.parametrize(
    ("said", "then"), [(None, "origin"), ("Accept", "Accept, origin"), ("Origin", "Origin"), ("*", "*")]
)
def test_what_an_answer_varies_by_is_added(said: str | None, then: str) -> None:
    answer = HttpResponse() if said is None else HttpResponse(headers={"Vary": said})
    vary_by(answer, "origin")
    vary_by(answer, "origin")
    assert answer["Vary"] == then
