"""Everything that is kept of somebody and is theirs, as lines: a section after the other, each from a place on.

A *line* is one thing, with the cursor behind it. So whoever has some lines goes on from the last one's cursor, after
whatever broke off, and days later: what was read before is not read again, and what came since in a section that was
passed is not there. Of what others wrote or are, there is what the person may see of them now; else their number alone.

It is read a page at a time, and an answer is held whole: LINES and a page, within READING_SECONDS and a page. However
much somebody has, and however slowly they take it, no thread waits for them, and no more memory than that.

Not in it: what they deleted, notifications, what signs them in besides sessions, who blocks or mutes them, and what
staff noted or decided.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from django.core.signing import BadSignature, Signer

from accounts.account_cache.accounts import accounts_by_id
from accounts.entities import Viewer
from accounts.graph.erasing import newest
from accounts.graph.kinds import BLOCK, FOLLOW, FOLLOW_REQUEST, MUTE
from accounts.people.profiles import own_user_out
from accounts.people.selectors import get_user
from accounts.sessions.listing import sessions_page
from accounts.sql import sql_or_unavailable
from feed.models import MutedWord, Report
from storage.errors import BadRequest, Unavailable
from storage.ids.snowflakes import MAX_ID, created_at
from storage.ports.associations import Association, End
from storage.web.paging import PageRequest
from tweets.entities import Tweet
from tweets.kinds import BOOKMARK, LIKE
from tweets.reading.many import tweets_out
from tweets.stores.port import tweet_store

PAGE = 100
"""Things of one read."""
LINES = 1_000
"""Of one answer, at most: half a megabyte, mostly."""
READING_SECONDS = 3.0
"""How long an answer reads; a page longer at most."""
CURSOR_MAX_CHARS = 200
_SALT = "feed.leaving.export.cursor"

Placed = tuple[int, Any]
"""A place, which falls as a section is read, and what stands there."""


class Part(NamedTuple):
    """What stands below a place of a section, the newest first, PAGE at most, and whether it is the last of it."""

    found: Sequence[Placed]
    is_last: bool


Read = Callable[[Viewer, int], Part]


class Section(NamedTuple):
    """`type` is what each of its lines says that it is."""

    type: str
    read: Read


class Line(msgspec.Struct, frozen=True):
    type: str
    cursor: str
    data: Any


class More(msgspec.Struct, frozen=True, tag="more"):
    """The last line of an answer behind which there is more, to be asked for after its cursor."""

    cursor: str


class Ended(msgspec.Struct, frozen=True, tag="end"):
    """The last line of all."""


Lines = Iterator[Line | More | Ended]


def export(viewer: Viewer, after: str | None) -> Lines:
    """Yields what comes behind the cursor `after`, or from the beginning: up to LINES, as far as READING_SECONDS go.

    The last line says whether there is more. Raises `BadRequest` for a cursor that is not one of ours; `Unavailable`
    when something does not answer, unless there is a line already: then More says where to go on.
    """
    number, place = (0, MAX_ID) if after is None else _place_of(after)
    return _lines(viewer, number, place, after)


def _lines(viewer: Viewer, number: int, place: int, cursor: str | None) -> Lines:
    ends, count = time.monotonic() + READING_SECONDS, 0
    while number < len(SECTIONS):
        section = SECTIONS[number]
        try:
            found, is_last = section.read(viewer, place)
        except Unavailable:
            if not count or cursor is None:
                raise
            yield More(cursor)
            return
        for each, data in found:
            cursor, place = _cursor_of(section.type, each), each
            yield Line(section.type, cursor, data)
        count += len(found)
        if is_last:
            number, place = number + 1, MAX_ID
        is_enough = count >= LINES or (count and time.monotonic() >= ends)
        if is_enough and cursor is not None and number < len(SECTIONS):
            yield More(cursor)
            return
    yield Ended()


def _cursor_of(section: str, place: int) -> str:
    return Signer(salt=_SALT, sep=".").sign(f"{section}-{place}")


def _place_of(cursor: str) -> tuple[int, int]:
    """The section's number, and the place in it. A cursor says nothing of whose it is: one reads one's own with it."""
    try:
        if len(cursor) > CURSOR_MAX_CHARS:
            raise ValueError(cursor)
        section, _, place = Signer(salt=_SALT, sep=".").unsign(cursor).rpartition("-")
        return [each.type for each in SECTIONS].index(section), int(place)
    except (BadSignature, ValueError) as error:
        raise BadRequest("This cursor is not one of an export of ours.", code="bad_cursor") from error


def _account(viewer: Viewer, place: int) -> Part:
    return Part([(0, own_user_out(get_user(viewer.id)))] if place == MAX_ID else [], is_last=True)


def _sessions(viewer: Viewer, place: int) -> Part:
    page = sessions_page(viewer, PageRequest(limit=PAGE, before=place))
    return Part(list(zip(page.places, page.items, strict=True)), is_last=page.older is None)


def _tweets(viewer: Viewer, place: int) -> Part:
    """As they were written, whoever may see what they answer, quote or retweet."""
    store = tweet_store()
    while ids := store.by_author(viewer.id, replies=True, before=place, limit=PAGE):
        found = store.get_many(ids)
        if standing := [(each, _written(found[each])) for each in ids if each in found and not found[each].deleted]:
            return Part(standing, len(ids) < PAGE)
        if len(ids) < PAGE:
            break
        place = ids[-1]
    return Part([], is_last=True)


def _written(tweet: Tweet) -> dict[str, Any]:
    named = {"reply_to_id": tweet.reply_to_id, "quote_of_id": tweet.quote_of_id, "retweet_of_id": tweet.retweet_of_id}
    return {
        "id": str(tweet.id),
        "text": tweet.text,
        "created_at": created_at(tweet.id),
        "conversation_id": str(tweet.conversation_id),
        **{name: None if each is None else str(each) for name, each in named.items()},
        "entities": tweet.entities,
    }


def _marks(kind: str) -> Read:
    def read(viewer: Viewer, place: int) -> Part:
        edges = newest(viewer.id, kind, End.SOURCE, before=place, limit=PAGE)
        shown = tweets_out([edge.target for edge in edges], viewer)
        marked = [(edge.op, _marked(edge, tweet)) for edge, tweet in zip(edges, shown, strict=True)]
        return Part(marked, len(edges) < PAGE)

    return read


def _marked(edge: Association, tweet: Any) -> dict[str, Any]:
    seen = None if tweet is None else {"username": tweet.author.username, "text": tweet.text}
    return {"tweet_id": str(edge.target), "created_at": created_at(edge.op), "tweet": seen}


def _people(kind: str, end: End) -> Read:
    def read(viewer: Viewer, place: int) -> Part:
        edges = newest(viewer.id, kind, end, before=place, limit=PAGE)
        others = [edge.target if end is End.SOURCE else edge.source for edge in edges]
        names = {each.id: each.username for each in accounts_by_id(others).values() if not each.suspended}
        rows = zip(edges, others, strict=True)
        return Part([(edge.op, _related(edge, other, names.get(other))) for edge, other in rows], len(edges) < PAGE)

    return read


def _related(edge: Association, other_id: int, username: str | None) -> dict[str, Any]:
    return {"id": str(other_id), "username": username, "created_at": created_at(edge.op)}


@sql_or_unavailable()
def _muted_words(viewer: Viewer, place: int) -> Part:
    words = MutedWord.objects.filter(person_id=viewer.id, pk__lt=place).order_by("-pk")
    found = [(each.pk, {"word": each.word, "created_at": created_at(each.pk)}) for each in words[:PAGE]]
    return Part(found, len(found) < PAGE)


@sql_or_unavailable()
def _reports(viewer: Viewer, place: int) -> Part:
    reports = Report.objects.filter(reporter_id=viewer.id, pk__lt=place).select_related("person").order_by("-id")
    found = [(each.pk, _reported(each)) for each in reports[:PAGE]]
    return Part(found, len(found) < PAGE)


def _reported(report: Report) -> dict[str, Any]:
    return {
        "id": str(report.pk),
        "tweet_id": None if report.tweet_id is None else str(report.tweet_id),
        "username": report.person.username if report.tweet_id is None else None,
        "reason": report.reason,
        "comment": report.comment,
        "created_at": created_at(report.pk),
    }


SECTIONS: Sequence[Section] = (
    Section("account", _account),
    Section("session", _sessions),
    Section("tweet", _tweets),
    Section("like", _marks(LIKE)),
    Section("bookmark", _marks(BOOKMARK)),
    Section("following", _people(FOLLOW, End.SOURCE)),
    Section("follower", _people(FOLLOW, End.TARGET)),
    Section("follow_request", _people(FOLLOW_REQUEST, End.SOURCE)),
    Section("follow_request_received", _people(FOLLOW_REQUEST, End.TARGET)),
    Section("block", _people(BLOCK, End.SOURCE)),
    Section("mute", _people(MUTE, End.SOURCE)),
    Section("muted_word", _muted_words),
    Section("report", _reports),
)
"""In this order. Cursors name sections, so that one may come in between."""
