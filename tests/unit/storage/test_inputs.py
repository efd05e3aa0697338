"""The nearest known name of a field that a route does not know."""

import pytest

from storage.web.inputs import NAME_CHARS_MAX, NAMED_MAX, nearest, unknown_fields

TWEET = ("text", "reply_to", "quote_of")
PROFILE = ("display_name", "bio", "email", "password", "current_password")
REPORT = ("tweet_id", "username", "reason", "comment")
SIGN_IN = ("username", "password")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("replyTo", TWEET, "reply_to"),
        ("reply-to", TWEET, "reply_to"),
        ("REPLY_TO", TWEET, "reply_to"),
        ("reply_to_id", TWEET, "reply_to"),
        ("in_reply_to_id", TWEET, "reply_to"),
        ("in_reply_to_status_id", TWEET, "reply_to"),
        ("inReplyToStatusId", TWEET, "reply_to"),
        ("in_reply_to_tweet_id", TWEET, "reply_to"),
        ("quoteOf", TWEET, "quote_of"),
        ("quote_tweet_id", TWEET, "quote_of"),
        ("quoted_status_id", TWEET, "quote_of"),
        ("qoute_of", TWEET, "quote_of"),
        ("status", TWEET, "text"),
        ("Text", TWEET, "text"),
        ("txt", TWEET, "text"),
        ("displayName", PROFILE, "display_name"),
        ("name", PROFILE, "display_name"),
        ("description", PROFILE, "bio"),
        ("oldPassword", PROFILE, "current_password"),
        ("new_password", PROFILE, "password"),
        ("tweetId", REPORT, "tweet_id"),
        ("text", REPORT, "comment"),
        ("screen_name", REPORT, "username"),
        ("email", SIGN_IN, "username"),
        ("pasword", SIGN_IN, "password"),
    ],
)
def test_a_name_that_is_near_or_used_elsewhere_is_told(name: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest(name, known) == meant


@pytest.mark.parametrize(
    ("name", "known"),
    [("media_ids", TWEET), ("visibility", TWEET), ("reply_settings", TWEET), ("username", PROFILE), ("", TWEET)],
)
def test_a_name_that_is_like_none_is_not_guessed_at(name: str, known: tuple[str, ...]) -> None:
    assert nearest(name, known) is None


def test_what_is_known_is_said_where_nothing_is_near() -> None:
    assert unknown_fields({"bio": "", "username": "x"}, PROFILE) == {
        "username": ["Unknown field; this takes `display_name`, `bio`, `email`, `password`, `current_password`."]
    }
    assert unknown_fields({"notify": True}, ()) == {"notify": ["Unknown field; this takes none."]}
    assert unknown_fields({"All": True}, (), in_query=("all",)) == {
        "All": ["Unknown field; did you mean `all` in the query?"]
    }


def test_many_unknown_fields_and_long_names_are_told_in_part() -> None:
    told = unknown_fields({f"{number}{'x' * 5_000}": 1 for number in range(1_000)}, TWEET)
    assert len(told) == NAMED_MAX
    assert max(len(name) for name in told) == NAME_CHARS_MAX
