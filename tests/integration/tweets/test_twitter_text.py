"""Texts are read as twitter-text 3.1 reads them: entities and weight of random texts, compared with what it says.

Needs npm, and the packages that tests/twitter_text/package-lock.json pins. Without npm it is
skipped, and in CI that is an error. TWITTER_TEXT_STRINGS is how many random texts.
"""

import json
import os
import random
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.tweets.differences import ENTITIES, WEIGHT, Answer, differences, is_newer_letter
from tests.unit.tweets.random_texts import random_text
from tweets.parsing.weights import weigh
from tweets.writing.text import find_entities

PACKAGE = Path(__file__).parents[2] / "twitter_text"
INSTALL_SECONDS = 240
ASK_SECONDS = 300
STRINGS = int(os.environ.get("TWITTER_TEXT_STRINGS", "6000"))
SEED = 13
FAR_BEYOND = 100_000
"""A limit that no text here gets near: all of it is weighed."""
TOLD = (
    "#タグhttps://youtu.be/x #http://x.com @http://x.com",
    "✌️#tag ❤️#love ☺︎#smile",
    "@dvořák @bób @bo\u0301b @łukasz @bobЖ",
    "#iOS/#Android @alice/@bob RT@user rt:@user art@user",
    "#メ〜テレ #各〃 #ה׳ #שבת״",
    "אבexample.com 。。example.com https://example.com............ ok",
    "© ® ™ ©️ ®️ ☝️🏽 ✌🏽 1️⃣ ☺︎",
    "a.com/漢漢 http://a.com/(a)(a)(a) http://a.com/a(b(c)d)e",
    "##a #a#b @a@b $a.com a@b.com",
)


@dataclass(frozen=True)
class Twitter:
    """What it said of each text, and which characters it takes into hashtags."""

    answers: dict[str, Answer]
    hashtag_characters: frozenset[int]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed npm project."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must compare with twitter-text: npm is missing")
        pytest.skip("SKIPPED: texts are not compared with twitter-text, because npm is missing")
    directory = tmp_path_factory.mktemp("twitter_text")
    for name in ("package.json", "package-lock.json", "ask.js"):
        shutil.copy(PACKAGE / name, directory)
    run(directory, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", seconds=INSTALL_SECONDS)
    return directory


@pytest.fixture(scope="module")
def twitter(project: Path) -> Twitter:
    """One process answers for all texts."""
    made = random.Random(SEED)
    examples = [each.example for each in differences(frozenset())]
    texts = [*TOLD, *examples, *(random_text(made) for _ in range(STRINGS))]
    said = json.loads(run(project, "node", "ask.js", given=json.dumps(texts), seconds=ASK_SECONDS))
    return Twitter(dict(zip(texts, said["answers"], strict=True)), frozenset(said["hashtagCharacters"]))


def run(directory: Path, *command: str, seconds: int, given: str = "") -> str:
    done = subprocess.run(
        command, cwd=directory, input=given, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def differing(text: str, theirs: Answer) -> Iterator[tuple[str, object, object]]:
    """Each aspect in which the two differ, and what ours and theirs are. A list of somebody's counts as a mention."""
    found = find_entities(text)
    ours = [[list(each.indices) for each in kind] for kind in (found.mentions, found.hashtags, found.urls)]
    mentions = [[start, end - len(listed)] for start, end, listed in theirs["mentions"]]
    expected = [mentions, theirs["hashtags"], theirs["urls"]]
    if ours != expected:
        yield ENTITIES, ours, expected
    weight = weigh(text, FAR_BEYOND)
    if weight != theirs["weight"]:
        yield WEIGHT, weight, theirs["weight"]


def test_nothing_differs_but_what_is_meant_to(twitter: Twitter) -> None:
    meant = differences(twitter.hashtag_characters)
    unexplained = [
        (ascii(text), text, *difference)
        for text, theirs in twitter.answers.items()
        for difference in differing(text, theirs)
        if not any(difference[0] in each.aspects and each.applies(text, theirs) for each in meant)
    ]
    assert unexplained[:5] == []


def test_most_texts_are_compared_in_every_aspect(twitter: Twitter) -> None:
    meant = differences(twitter.hashtag_characters)
    explained = sum(any(each.applies(text, theirs) for each in meant) for text, theirs in twitter.answers.items())
    assert explained < len(twitter.answers) / 5
    for kind in ("mentions", "hashtags", "urls"):
        assert sum(bool(theirs[kind]) for theirs in twitter.answers.values()) > len(twitter.answers) / 10, kind


@pytest.mark.parametrize("number", range(len(differences(frozenset()))))
def test_each_difference_is_one(twitter: Twitter, number: int) -> None:
    difference = differences(twitter.hashtag_characters)[number]
    theirs = twitter.answers[difference.example]
    found = [aspect for aspect, _, _ in differing(difference.example, theirs)]
    assert found
    assert set(found) <= set(difference.aspects)
    assert difference.applies(difference.example, theirs)


def test_letters_that_differ_are_newer_than_its_list_or_for_private_use(twitter: Twitter) -> None:
    differing = [chr(code) for code in range(0x110000) if is_newer_letter(chr(code), twitter.hashtag_characters)]
    theirs_only = [each for each in differing if ord(each) in twitter.hashtag_characters]
    assert {unicodedata.category(each) for each in theirs_only} <= {"Co", "Cn"}
    assert len(theirs_only) == 68 + 2
    ours_only = [each for each in differing if ord(each) not in twitter.hashtag_characters]
    assert {unicodedata.ucd_3_2_0.category(each) for each in ours_only} == {"Cn"}


def test_the_lock_names_no_download_host() -> None:
    assert "resolved" not in (PACKAGE / "package-lock.json").read_text()
