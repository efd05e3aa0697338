"""What somebody asks the search for, read from what they typed. Whatever it is, it is a query: nothing fails to parse.

    cat dog               tweets with both words, wherever they stand
    "black cat"           the words side by side; a quotation mark that is not closed goes on to the end
    -dog  -"black cat"    tweets without them
    #berlin               tweets with the hashtag
    from:ada              tweets by ada, or by one of several
    since:2026-11-01      tweets of that day, in UTC, and later
    until:2026-12-01      tweets of before that day

What looks like one of these and is none is words: `since:yesterday` asks for since and yesterday side by side, as
`e-mail` does for e and mail. So is a word of a script that is written without spaces: 東京 asks for 東 beside 京.
The first TERMS_MAX that differ count, besides days, and the rest is left out of what is asked.
What no word is in (`!!!`) asks for nothing. Case, accents and width make no difference (tweets/search/words.py).

For example, `from:ada since:2026-11-01 "black cat" café -dog` is asked for the phrases (black, cat) and (cafe) without
(dog), by ada, from midnight of the first of November on.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
import regex

from storage.ids.snowflakes import EPOCH_US, MAX_ID, make_id
from tweets.hashtags import SIGNS, hashtag_name
from tweets.parsing.entities import MAX_USERNAME
from tweets.search.port import TERMS_MAX, Phrase
from tweets.search.words import words

QUERY_MAX = 256
"""Characters of a query."""
_TERM = regex.compile(r'(?P<without>-)?["“”„](?P<phrase>[^"“”„]*)(?:["“”„]|$)|(?P<plain>[^\s"“”„]+)')
"""An opening and a closing mark may be of two kinds: keyboards make them so."""
_NAME = regex.compile(rf"@?([A-Za-z0-9_]{{1,{MAX_USERNAME}}})")
_DAY = regex.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Query(msgspec.Struct, frozen=True):
    """What is asked for, each of which has to apply; `authors` are usernames, in small letters, of which one has to."""

    phrases: tuple[Phrase, ...] = ()
    without: tuple[Phrase, ...] = ()
    hashtags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    @property
    def asks_for_something(self) -> bool:
        """Returns whether it names anything to look for: to leave something out of all there is asks for nothing."""
        return bool(self.phrases or self.hashtags or self.authors or self.since or self.until)

    @property
    def above(self) -> int:
        """Returns the id above which tweets are not too old."""
        return 0 if self.since is None else _first_id(self.since) - 1

    @property
    def below(self) -> int:
        """Returns the id below which tweets are not too new."""
        return MAX_ID if self.until is None else _first_id(self.until)


def parsed(text: str) -> Query:
    """Returns what the text asks for. Raises nothing, in time that grows with its length alone."""
    terms: dict[tuple[str, str | Phrase], None] = {}
    since: list[date] = []
    until: list[date] = []
    for typed, is_unwanted, is_quoted in _terms(text):
        operator, _, value = typed.partition(":")
        kind = "" if is_quoted or is_unwanted else operator.casefold()
        if kind == "from" and (name := _NAME.fullmatch(value)):
            terms["authors", name[1].lower()] = None
        elif kind in ("since", "until") and (day := _day(value)):
            (since if kind == "since" else until).append(day)
        elif not is_quoted and not is_unwanted and typed.startswith(SIGNS) and (tag := hashtag_name(typed)):
            terms["hashtags", tag] = None
        elif phrase := words(typed):
            terms["without" if is_unwanted else "phrases", phrase] = None
    return Query(**_by_kinds(islice(terms, TERMS_MAX)), since=max(since, default=None), until=min(until, default=None))


def _by_kinds(terms: Iterable[tuple[str, str | Phrase]]) -> dict[str, Any]:
    kinds: defaultdict[str, list[str | Phrase]] = defaultdict(list)
    for kind, term in terms:
        kinds[kind].append(term)
    return {kind: tuple(found) for kind, found in kinds.items()}


def _terms(text: str) -> Iterator[tuple[str, bool, bool]]:
    """What stands between spaces or quotation marks, whether it is not wanted, and whether it stood in marks."""
    for match in _TERM.finditer(text):
        if match["phrase"] is not None:
            yield match["phrase"], match["without"] is not None, True
        else:
            plain: str = match["plain"]
            yield plain.removeprefix("-"), plain.startswith("-"), False


def _day(value: str) -> date | None:
    """A day of the calendar; None for what is none."""
    if not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _first_id(day: date) -> int:
    """The least id that a tweet of that day may have: 1 before there were ids, MAX_ID after the last."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    us = midnight // timedelta(microseconds=1)
    return min(max(make_id(us, 0), 1), MAX_ID) if us > EPOCH_US else 1
