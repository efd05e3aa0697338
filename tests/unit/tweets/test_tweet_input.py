"""What a posted body says: the same with the serializer and without it."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.serializers import ValidationError

from tweets.doors.rest_tweets import Given, TweetInput, given_in

VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["", " ", "x", "\0", "x\0", "7", None, 7, True, [], {}, ["x"]]
) | st.text(max_size=5)
BODIES = st.dictionaries(st.sampled_from(["text", "reply_to", "quote_of", "other"]), VALUES)


def by_serializer(body: dict[str, Any]) -> Given:
    serializer = TweetInput(data=body)
    serializer.is_valid(raise_exception=True)
    checked = serializer.validated_data
    return Given(checked["text"], checked.get("reply_to"), checked.get("quote_of"))


def outcome(read: Callable[[dict[str, Any]], Given], body: dict[str, Any]) -> object:
    try:
        return read(body)
    except ValidationError as refused:
        return refused.detail


@settings(deadline=None)
@given(BODIES)
def test_every_body_is_read_or_refused_as_the_serializer_does(body: dict[str, Any]) -> None:
    assert outcome(given_in, body) == outcome(by_serializer, body)
