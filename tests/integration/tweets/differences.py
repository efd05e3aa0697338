"""Where this product reads a text otherwise than twitter-text 3.1 does, on purpose: all there is.

(What it refuses to post besides is told by `checked_text`: controls, blank texts, and those of more
than MAX_CODE_POINTS.)

`test_twitter_text.py` asks twitter-text about random texts, and lets nothing differ but what one of
these explains. A difference of entities may let another entity appear or vanish that overlaps it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypedDict

from tweets.parsing.characters import ACCENTED_BESIDE_MENTION, NOT_IN_HOST, in_hashtag
from tweets.parsing.composing import composed
from tweets.parsing.emoji import EMOJI
from tweets.parsing.hosts import plain_hosts
from tweets.parsing.links import find_links

ENTITIES, WEIGHT = "entities", "weight"


class Answer(TypedDict):
    """What twitter-text says of one text; a mention has the name of a list as well, which may be empty."""

    mentions: list[tuple[float, float, str]]
    hashtags: list[tuple[float, float]]
    urls: list[tuple[float, float]]
    weight: int
    emoji: list[str]


@dataclass(frozen=True)
class Difference:
    """What differs, why, in which aspects, in which texts, and a text in which it does."""

    name: str
    reason: str
    aspects: tuple[str, ...]
    example: str
    applies: Callable[[str, Answer], bool]


def is_newer_letter(character: str, theirs: frozenset[int]) -> bool:
    """Returns whether twitter-text sorts it otherwise when it stands in a hashtag."""
    return in_hashtag(character) != (ord(character) in theirs)


def differences(hashtag_characters: frozenset[int]) -> tuple[Difference, ...]:
    """All of them, for the characters that twitter-text takes into hashtags."""
    return (*OF_MENTIONS, _newer_letters(hashtag_characters), *OF_WEIGHTS, OF_PLACES)


def _newer_letters(hashtag_characters: frozenset[int]) -> Difference:
    return Difference(
        "newer letters",
        "Letters, marks and digits that Unicode has got since version 7 may stand in a hashtag. 68 characters for "
        "private use and two without a meaning may not: twitter-text's list has them by mistake.",
        (ENTITIES,),
        "#\u0560\u0561",
        lambda text, _: any(is_newer_letter(character, hashtag_characters) for character in text),
    )


def stands_before_as_well(text: str) -> bool:
    """Returns whether the host of a link without http:// comes up earlier in its run of host characters."""
    return any(host in run[:place] for run, place, host in _hosts(text))


def _hosts(text: str) -> Iterator[tuple[str, int, str]]:
    """Of each link without http:// the run of host characters up to its path, and where in it which host stands."""
    for start, end in find_links(text) or ():
        run = re.match(rf"[^{NOT_IN_HOST}]*", text[start:end])
        before = re.search(rf"[^{NOT_IN_HOST}]*\Z", text[:start])
        if run and before and run[0]:
            _, length = plain_hosts(run[0])[0]
            yield before[0] + run[0], len(before[0]), run[0][:length]


def _found(pattern: str) -> Callable[[str, Answer], bool]:
    return lambda text, _: re.search(pattern, text) is not None


OF_MENTIONS = (
    Difference(
        "long usernames",
        "A username has up to 30 characters, and no mention is cut off at the 20th: it would name somebody else.",
        (ENTITIES,),
        "@abcdefghijklmnopqrstuvwxyz",
        _found(r"[@＠][A-Za-z0-9_]{21}"),
    ),
    Difference(
        "lists",
        "There are no lists: what would be one mentions its owner, whatever follows its name.",
        (ENTITIES,),
        "@ann/friendsé",
        _found(r"[@＠][A-Za-z0-9_]+/[A-Za-z]"),
    ),
    Difference(
        "addresses with accents",
        "Behind a Latin letter nobody is mentioned, with an accent or without: josé@example.org is an address.",
        (ENTITIES,),
        "josé@example.org",
        _found(rf"[{ACCENTED_BESIDE_MENTION}][@＠]"),
    ),
)
OF_WEIGHTS = (
    Difference(
        "line ends",
        "One of two characters weighs 1, as any: browsers' forms send it for what people typed as one.",
        (WEIGHT,),
        "a\r\nb",
        _found("\r\n"),
    ),
    Difference(
        "newer emoji",
        "The sequences that Unicode has made emoji since 2018 weigh 2, as all emoji do.",
        (WEIGHT,),
        "🧑\u200d🤝\u200d🧑",
        lambda text, theirs: any(emoji[0] not in theirs["emoji"] for emoji in EMOJI.finditer(composed(text))),
    ),
    Difference(
        "hosts that go on in other letters before their path",
        "Such a link ends with its path and weighs 23. There some of it is counted besides.",
        (WEIGHT,),
        "a.com例.jp/path",
        lambda text, _: any(len(run) > place + len(host) for run, place, host in _hosts(composed(text))),
    ),
)
OF_PLACES = Difference(
    "a host's text that stands before it as well",
    "A link stands where it was found. There it stands where its text comes up first behind the last link.",
    (ENTITIES, WEIGHT),
    "例t.commerce例t.co",
    lambda text, _: any(stands_before_as_well(each) for each in (text, composed(text))),
)
