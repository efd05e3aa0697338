"""What the people of the demo do, in order: an endless stream of actions, the same for the same seed.

An action names the tweet it is about by the number of the action that wrote it, so that the
plan needs no answer of the server's. A longer run is a shorter one, continued.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from deploy.demo.people import Society

RECENT = 300
"""Tweets that are still talked about."""
PHRASES = [
    "Just shipped it.", "Good morning from the night train", "Hot take: tabs.", "Who else is reading this?",
    "The kettle is on", "I can't believe it works", "émigré naïve café, déjà vu", "今日はいい天気ですね",
    "新しい本を読み始めた", "朝ごはんはおにぎり", "오늘도 화이팅", "Wer kommt mit ins Kino?",
    "Ich glaube, es regnet gleich",
    "Qué golazo, madre mía", "Alguien sabe dónde venden buen pan?", "مرحبا بالعالم", "שבת שלום",
    "Привет из Новосибирска", "Ça y est, c'est le printemps", "Ik snap er niks van", "Merhaba dünya",
    "one line\nand another one", "<b>not bold</b> & not \"quoted\"", "1 + 1 = 2, mostly", "e\u0301 is not é, or is it",
]  # fmt: skip
EMOJI = ["🎉", "👩‍👩‍👧‍👦", "🇯🇵", "🐈‍⬛", "☕", "🚀", "😂", "🫶🏽", "🌧️", "🥐"]
HASHTAGS = ["#intro", "#日本語", "#TIL", "#python", "#Fußball", "#café", "#nowplaying", "#100days", "#gardening"]
LINKS = ["https://example.org/article?id=7#top", "example.com", "https://example.net/写真", "http://example.org/a_(b)"]
ANSWERS = ["So true!", "Ha, no way", "+1", "Quelle?", "lol", "賛成", "Tell me more", "Absolutely not.", "😂😂"]


class Kind(StrEnum):
    TWEET = "tweets"
    REPLY = "replies"
    THREAD = "thread parts"
    QUOTE = "quotes"
    RETWEET = "retweets"
    LIKE = "likes"
    BOOKMARK = "bookmarks"
    READ = "timelines read"


WRITES = {Kind.TWEET: 62, Kind.REPLY: 20, Kind.THREAD: 10, Kind.QUOTE: 8}
"""Of a hundred tweets, about so many are of each kind."""
REACTIONS = {Kind.LIKE: 1.6, Kind.RETWEET: 0.35, Kind.BOOKMARK: 0.1, Kind.READ: 0.25}
"""Reactions a tweet, on average."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action of `person`; `target` is the number of the action whose tweet it is about."""

    number: int
    kind: Kind
    person: int
    target: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Written:
    number: int
    author: int


class Stream:
    """Iterates over the actions that go with `tweets` tweets."""

    def __init__(self, society: Society, *, seed: int, tweets: int) -> None:
        self._society = society
        self._tweets = tweets
        self._dice = random.Random(f"{seed}:stream")  # noqa: S311
        self._everybody = range(len(society.people))
        self._weights = list(accumulate(1 + followers for followers in society.popularity()))
        self._recent: list[_Written] = []
        self._number = 0

    def __iter__(self) -> Iterator[Action]:
        for _ in range(self._tweets):
            yield self._write()
            for kind, mean in REACTIONS.items():
                for _ in range(int(mean + self._dice.random())):
                    yield self._react(kind)

    def _write(self) -> Action:
        kind = self._dice.choices(list(WRITES), list(WRITES.values()))[0]
        author, target = self._somebody(), None
        if kind is Kind.THREAD:
            target = self._last_of(author)
        elif kind in (Kind.REPLY, Kind.QUOTE) and self._recent:
            target = self._talked_about()
        if target is None:
            kind = Kind.TWEET
        text = self._answer(target) if kind is Kind.REPLY and target is not None else a_text(self._dice, self._names())
        action = self._action(kind, author, target, text)
        self._recent = [*self._recent[-RECENT:], _Written(action.number, author)]
        return action

    def _react(self, kind: Kind) -> Action:
        person = self._dice.choice(self._everybody)
        return self._action(kind, person, None if kind is Kind.READ else self._talked_about())

    def _action(self, kind: Kind, person: int, target: _Written | None, text: str = "") -> Action:
        self._number += 1
        return Action(self._number, kind, person, target.number if target else None, text)

    def _somebody(self) -> int:
        """Who is followed by many writes more."""
        return self._dice.choices(self._everybody, cum_weights=self._weights)[0]

    def _talked_about(self) -> _Written:
        """Mostly the newest; some of them again and again."""
        return self._recent[-min(int(self._dice.paretovariate(0.6)), len(self._recent))]

    def _last_of(self, author: int) -> _Written | None:
        return next((written for written in reversed(self._recent) if written.author == author), None)

    def _answer(self, target: _Written) -> str:
        return f"@{self._society.people[target.author].username} {self._dice.choice(ANSWERS)}"

    def _names(self) -> list[str]:
        return [self._society.people[self._somebody()].username for _ in range(2)]


def a_text(dice: random.Random, names: list[str]) -> str:
    """Returns one to four phrases, some with emoji, hashtags, links or mentions. Weighs far below 280."""
    parts = [dice.choice(PHRASES) for _ in range(dice.choice([1, 1, 1, 2, 2, 4]))]
    for chance, choices in ((0.4, EMOJI), (0.3, HASHTAGS), (0.2, LINKS), (0.15, [f"@{name}" for name in names])):
        if dice.random() < chance:
            parts.insert(dice.randint(0, len(parts)), dice.choice(choices))
    return " ".join(parts)
