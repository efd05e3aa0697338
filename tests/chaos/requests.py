"""What an action of the stream asks for, as a request to the REST doors."""

import random
from collections.abc import Mapping
from typing import Any

from tests.chaos.record import Record
from tests.chaos.stream import ABOUT_A_TWEET, ANSWERS, WRITING, Action, Kind
from tests.e2e.main_job import a_text

PASSWORD = "Engine-No-1843"
MARK = "engine"
"""A word that stands in every text, by which all of them are found."""
OF_ONESELF: Mapping[Kind, tuple[str, dict[str, Any]]] = {
    Kind.PROTECT: ("PATCH", {"protected": True}),
    Kind.UNPROTECT: ("PATCH", {"protected": False}),
    Kind.LEAVE: ("DELETE", {"password": PASSWORD}),
}
METHODS = {Kind.FOLLOW: "PUT", Kind.BLOCK: "PUT", Kind.MUTE: "PUT", Kind.RETWEET: "PUT", Kind.LIKE: "PUT",
           Kind.ACCEPT: "PUT"}  # fmt: skip
NOUNS = {Kind.UNFOLLOW: "follow", Kind.UNBLOCK: "block", Kind.UNMUTE: "mute", Kind.UNRETWEET: "retweet",
         Kind.UNLIKE: "like"}  # fmt: skip


def username(person: int) -> str:
    return f"person_{person}"


def text_of(action: Action, seed: int) -> str:
    number = action.number
    text = f"{number}: {MARK} {a_text(random.Random(f'{seed}:{number}'))}"
    return f"{text} @{username(action.target)}" if action.kind is Kind.MENTION else text


def request_of(action: Action, record: Record, seed: int) -> tuple[str, str, dict[str, Any] | None]:
    """Method, path and body of what the action asks for; it is about what has been answered before."""
    kind, target = action.kind, action.target
    if kind is Kind.JOIN:
        name = username(action.person)
        return "POST", "/auth/register", {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    if kind in OF_ONESELF:
        method, body = OF_ONESELF[kind]
        return method, "/me", body
    if kind in ANSWERS:
        return METHODS.get(kind, "DELETE"), f"/me/follow-requests/{username(target)}", None
    tweet_id = str(record.tweets[target].id) if kind in ABOUT_A_TWEET else ""
    if kind in WRITING:
        about = {Kind.THREAD: "reply_to", Kind.REPLY: "reply_to", Kind.QUOTE: "quote_of"}.get(kind)
        return (
            "POST",
            "/tweets",
            {"text": text_of(action, seed)} | ({about: tweet_id} if about else {}),
        )
    if kind is Kind.DELETE:
        return "DELETE", f"/tweets/{tweet_id}", None
    owner = f"/tweets/{tweet_id}" if kind in ABOUT_A_TWEET else f"/users/{username(target)}"
    return METHODS.get(kind, "DELETE"), f"{owner}/{NOUNS.get(kind, kind.value)}", None
