"""What a write may say: the fields that its route knows. Any other is refused and not passed over.

Who writes `replyTo` for `reply_to` would else have posted a tweet to everybody and been told that all is well.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import TypedDict, Unpack, cast

from rest_framework import serializers

NAMED_MAX = 10
"""Unknown fields that are told of in one answer: comparing names costs, and ten are enough to see what is wrong."""
NAME_CHARS_MAX = 64
"""Of a name that is told; none of ours is a third as long."""
NEAR = 0.65
"""How like a name must be (difflib's ratio) to be meant: `reply_to_tweet_id` is, `reply_settings` is not."""

NAMES_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "text": ("status", "content", "body", "message", "full_text", "tweet", "post"),
    "reply_to": (
        "reply",
        "parent",
        "parent_id",
        "in_reply_to",
        "in_reply_to_id",
        "in_reply_to_tweet_id",
        "in_reply_to_status_id",
        "in_reply_to_status_id_str",
        "reply_to_status_id",
    ),
    "quote_of": (
        "quoted_tweet",
        "quoted_tweet_id",
        "quote_tweet_id",
        "quoted_status_id",
        "quoted_id",
        "attachment_url",
    ),
    "username": ("screen_name", "handle", "login", "user", "acct", "name", "email"),
    "display_name": ("name", "full_name", "nickname"),
    "bio": ("description", "about", "note", "summary"),
    "email": ("mail", "email_address"),
    "password": ("new_password", "pass", "passwd"),
    "current_password": ("old_password", "password_confirmation"),
    "tweet_id": ("id", "status_id", "status_ids", "post_id"),
    "reason": ("category", "type"),
    "comment": ("text", "message", "details", "description", "note"),
}
"""What Twitter's API, Mastodon's and others call what is ours; a name may mean another field on another route."""


class TextOptions(TypedDict, total=False):
    """What a `TextField` may be given, as REST framework's fields take it."""

    required: bool
    allow_null: bool
    allow_blank: bool
    max_length: int
    help_text: str


class TextField(serializers.CharField):
    """A string and nothing that could be made one; its spaces are kept."""

    def __init__(self, **options: Unpack[TextOptions]) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class FlagField(serializers.BooleanField):
    """True or false, and nothing that could be made one of them."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Input(serializers.Serializer[Mapping[str, str]]):
    # The fields of a body; one that is not among them is an error of its own, beside those of the others.

    def to_internal_value(self, data: Mapping[str, object]) -> Mapping[str, str]:
        unknown = unknown_fields(data, self.fields)
        try:
            checked = cast(Mapping[str, str], super().to_internal_value(data))
        except serializers.ValidationError as error:
            raise serializers.ValidationError(cast(dict[str, list[str]], error.detail) | unknown) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return checked


def unknown_fields(
    data: Mapping[str, object], known: Collection[str], *, in_query: Collection[str] = ()
) -> dict[str, list[str]]:
    """Returns {field: [message]} of those in `data` that are not known, at most NAMED_MAX of them."""
    unknown = [name for name in data if name not in known][:NAMED_MAX]
    return {name[:NAME_CHARS_MAX]: [_message(name, known, in_query)] for name in unknown}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that `name` was probably meant for: written otherwise, used elsewhere, or mistyped."""
    plain_names = {_plain(each): each for each in known}
    plain = _plain(name[:NAME_CHARS_MAX])
    if plain in plain_names:
        return plain_names[plain]
    for each in plain_names.values():
        if plain in _PLAIN_ELSEWHERE.get(each, ()):
            return each
    near = get_close_matches(plain, plain_names, n=1, cutoff=NEAR)
    return plain_names[near[0]] if near else None


def _message(name: str, known: Collection[str], in_query: Collection[str]) -> str:
    if meant := nearest(name, known):
        return f"Unknown field; did you mean `{meant}`?"
    if meant := nearest(name, in_query):
        return f"Unknown field; did you mean `{meant}` in the query?"
    if not known:
        return "Unknown field; this takes none."
    return f"Unknown field; this takes {', '.join(f'`{each}`' for each in known)}."


def _plain(name: str) -> str:
    """The name without what tells camelCase, kebab-case and snake_case apart."""
    return re.sub(r"[\W_]", "", name.lower())


_PLAIN_ELSEWHERE = {ours: {_plain(each) for each in others} for ours, others in NAMES_ELSEWHERE.items()}
