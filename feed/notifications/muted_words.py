"""Words that somebody has muted: a mention, reply or quote whose tweet has one does not notify them.

**What matches.** A tweet is looked at by its words as they are searched (tweets/search/words.py), and so is what was
muted: case, width and accents of Latin, Greek and Cyrillic letters are none, and words are whole: `art` is not in
`party`. A phrase is its words side by side, whatever stands between them: `e-mail` is `E mail`. Of scripts that write
no spaces between words each character is a word, so that 東京 is found wherever the two stand side by side, in 東京都
as well. What begins with # and is a hashtag matches that hashtag alone, as hashtags are listed (tweets/hashtags.py);
a word matches the hashtag of that word as well. What is decided of is what a person sees of the word, and is shown: who
types that again means the same. Of a tweet its own text counts, with the words of its links and
mentions; not that of what it quotes or answers. A phrase does not reach over a link.

**When.** As people who are muted, words are looked for when a notification is shown, and not when it is written: a word
hides what is there already, and lets it go again. The version in the account (`User.muted_words_version`), which comes
along whenever notifications are read, says whether there are any: who has muted none pays nothing. A process keeps
what it has read under that version, so that it reads each list once.

**In force when it was answered**: SQL has the words and their version, whoever reads the account is told, and then the
version of the person's news changes, under which how much is new is kept (unread.py). If the process dies in between,
that count is right within its KEPT_SECONDS.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec
import regex
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Length

from accounts.account_cache.changes import note_change
from accounts.entities import Account, Viewer
from accounts.models import User
from accounts.people.services import lock_who_is_here
from accounts.sql import sql_or_unavailable
from feed.models import MUTED_WORD_MAX, MutedWord
from feed.notifications.telling import tell_news
from storage import stores
from storage.characters import as_shown
from storage.errors import Refused
from storage.ids.snowflakes import created_at
from storage.web.asking import Shown
from storage.web.paging import Page, PageRequest
from storage.web.walking import Stored, full_page
from tweets.hashtags import SIGNS, folded, hashtag_name
from tweets.reading.outputs import TweetOut
from tweets.search.words import words

MOST_MUTED = 200
"""Of one person: a list that is read whole, and looked through for each tweet that notifies."""
MOST_KEYS = 4_000
"""Characters of the keys of one person's words together, a character of Chinese being two of them: twenty phrases of
the longest at least."""
TYPED_MAX = 4 * MUTED_WORD_MAX
"""Code points of what is folded; more are refused unseen."""
KEYCAP = "#\u20e3"
UNSEEN = regex.compile(r"\p{Default_Ignorable_Code_Point}")
FOLDED_AT_MOST = 8
"""Times: what folding makes may be folded again. Twice is what it took, of whatever was tried."""
LISTS_KEPT = 500
"""Of lists in a process, those asked for last: 16 KB of characters each, and as much around them, at the largest."""


class MutedWordOut(msgspec.Struct, frozen=True):
    """A muted word, phrase or hashtag as its person sees it: folded."""

    id: str
    word: str
    created_at: str


class MutedWords(msgspec.Struct, frozen=True):
    """All that somebody has muted. A phrase has a space around each of its words."""

    phrases: tuple[str, ...] = ()
    hashtags: frozenset[str] = frozenset()

    def are_in(self, tweet: TweetOut) -> bool:
        """Returns whether the tweet's text has any of them."""
        if self.hashtags and not self.hashtags.isdisjoint(folded(each.tag) for each in tweet.entities.hashtags):
            return True
        if not self.phrases:
            return False
        text = "\n".join(_phrase(words(part)) for part in _parts(tweet))
        return any(phrase in text for phrase in self.phrases)


NONE = MutedWords()


def muted_words(viewer_id: int, account: Account | None) -> MutedWords:
    """Returns what the viewer has muted, whose `account` was read since the request began.

    Nothing for who has muted none, and for a list that this process has read; else one SQL query. Raises `Unavailable`:
    what is muted is not shown because it cannot be looked for.
    """
    version = account.muted_words_version if account is not None else None
    if version is None:
        return _read(viewer_id)
    return _kept(viewer_id, version) if version else NONE


def muted_words_page(viewer: Viewer, request: PageRequest) -> Page[MutedWordOut]:
    """Returns a page of what the viewer has muted, newest first. One SQL query. Raises `Unavailable`."""
    rows: dict[int, MutedWord] = {}

    def fetch(*, before: int | None, after: int | None, limit: int) -> list[int]:
        found = {row.pk: row for row in _rows(viewer.id, before=before, after=after, limit=limit)}
        rows.update(found)
        return list(found)

    def show(ids: Sequence[int]) -> Shown[MutedWordOut]:
        return Shown([(each, muted_word_out(rows[each])) for each in ids])

    return full_page(request, Stored(fetch), show)


def mute_word(viewer: Viewer, word: str) -> MutedWordOut:
    """Mutes a word, phrase or hashtag; one that matches the same is muted already and stays as it is. Idempotent.

    Seven SQL statements and two round trips. Raises `Refused` for what has no word in it, is too long, or would be more
    than MOST_MUTED or MOST_KEYS; `Forbidden` for who has left, `Unavailable`.
    """
    shown, key = _checked(word)
    row, is_new = _add(viewer.id, shown, key)
    if is_new:
        tell_news(viewer.id)
    return muted_word_out(row)


def unmute_word(viewer: Viewer, word: str) -> None:
    """Mutes what matches the same no more. Idempotent.

    Five SQL statements and two round trips, two and none if it was not muted. Raises as `mute_word` does.
    """
    _, key = _checked(word)
    if _remove(viewer.id, key):
        tell_news(viewer.id)


def muted_word_out(row: MutedWord) -> MutedWordOut:
    return MutedWordOut(id=str(row.pk), word=row.word, created_at=created_at(row.pk))


def _checked(typed: str) -> tuple[str, str]:
    """The word as it is kept and shown, and the key by which two that match the same are one. Raises `Refused`."""
    if len(typed) > TYPED_MAX:
        raise _too_long()
    word = _seen(typed)
    if len(word) > MUTED_WORD_MAX:
        raise _too_long()
    if (name := _name_in(word)) is not None:
        return word, f"#{name}"
    found = words(word)
    if not found:
        raise Refused("word", "There is no letter, digit or emoji in it that could be looked for.", code="no_word")
    return word, " ".join(found)


def _seen(typed: str) -> str:
    """What is shown of it: folded, until folding changes nothing any more, so that what is shown may be typed."""
    for _ in range(FOLDED_AT_MOST):
        seen = _seen_once(typed)
        if seen == typed:
            break
        typed = seen
    return typed


def _seen_once(typed: str) -> str:
    """A hashtag stays unfolded where it would be none any more: a letter may stand for several words."""
    line = " ".join(as_shown(typed).split())
    for tag in (line, UNSEEN.sub("", line)):
        if (name := _name_in(tag)) is not None:
            return again if _name_in(again := f"#{name}") == name else tag
    return folded(line)


def _name_in(tag: str) -> str | None:
    """The name of a hashtag, which has its sign; None of what is none."""
    return hashtag_name(tag) if tag.startswith(SIGNS) else None


def _too_long() -> Refused:
    return Refused("word", f"A muted word or phrase has at most {MUTED_WORD_MAX} characters.", code="too_long")


def _parts(tweet: TweetOut) -> Iterator[str]:
    """Its text without links, and each link: a long one may have more words than are looked at of one text, and must
    not hide what stands behind it."""
    place = 0
    for start, end in (url.indices for url in tweet.entities.urls):
        yield tweet.text[place:start]
        yield tweet.text[start:end]
        place = end
    yield tweet.text[place:]


def _phrase(found: Sequence[str]) -> str:
    return f" {' '.join(found)} "


@lru_cache(LISTS_KEPT)
def _kept(person_id: int, _version: int) -> MutedWords:
    """What is read is at least as new as the version: both are written at once."""
    return _read(person_id)


@sql_or_unavailable()
def _read(person_id: int) -> MutedWords:
    return _muted(MutedWord.objects.filter(person_id=person_id).values_list("key", flat=True)[:MOST_MUTED])


def _muted(keys: Iterable[str]) -> MutedWords:
    kept = frozenset(keys)
    hashtags = frozenset(each for each in kept if _is_hashtag(each))
    return MutedWords(tuple(f" {each} " for each in kept - hashtags), frozenset(each[1:] for each in hashtags))


def _is_hashtag(key: str) -> bool:
    """Of words, a keycap alone begins with the same sign."""
    return key.startswith("#") and not key.startswith(KEYCAP)


@sql_or_unavailable()
def _rows(person_id: int, *, before: int | None, after: int | None, limit: int) -> list[MutedWord]:
    """Newest first below `before`, or the nearest above `after`."""
    found = MutedWord.objects.filter(person_id=person_id)
    if before is not None:
        found = found.filter(pk__lt=before)
    if after is None:
        return list(found.order_by("-pk")[:limit])
    return list(found.filter(pk__gt=after).order_by("pk")[:limit])[::-1]


@sql_or_unavailable()
def _add(person_id: int, word: str, key: str) -> tuple[MutedWord, bool]:
    """The row, and whether it was made just now. The person's row is locked, so that the bound holds among many."""
    with transaction.atomic():
        lock_who_is_here(person_id)
        theirs = MutedWord.objects.filter(person_id=person_id)
        if (standing := theirs.filter(key=key).first()) is not None:
            return standing, False
        _refuse_more(theirs, key)
        row = MutedWord.objects.create(pk=stores.ids.next(), person_id=person_id, word=word, key=key)
        _change_version(person_id)
        return row, True


def _refuse_more(theirs: QuerySet[MutedWord], key: str) -> None:
    """Refuses one that would be too many. One SQL query."""
    count, length = theirs.aggregate(count=Count("pk"), length=Sum(Length("key"))).values()
    if count >= MOST_MUTED:
        raise Refused("word", f"You mute {MOST_MUTED} words, which is the most: let one go first.", code="too_many")
    if (length or 0) + len(key) > MOST_KEYS:
        raise Refused("word", "What you mute is too long together: let a long phrase go first.", code="too_many")


@sql_or_unavailable()
def _remove(person_id: int, key: str) -> bool:
    with transaction.atomic():
        lock_who_is_here(person_id)
        is_gone = bool(MutedWord.objects.filter(person_id=person_id, key=key).delete()[0])
        if is_gone:
            _change_version(person_id)
        return is_gone


def _change_version(person_id: int) -> None:
    """0 again once nothing is left. In a transaction that has locked the person's row: whoever is second sees both."""
    is_any = MutedWord.objects.filter(person_id=person_id).exists()
    _write_version(person_id, stores.ids.next() if is_any else 0)


def _write_version(person_id: int, version: int) -> None:
    User.objects.filter(pk=person_id).update(muted_words_version=version)
    note_change(person_id)
