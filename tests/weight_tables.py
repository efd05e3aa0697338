"""What the page at / knows of characters, domains and emoji is what the server knows: written from there, not by hand.

`python -m tests.weight_tables` writes config/static/client/weights/tables.js anew; a test says when it is out of date.
"""

import json
import re
from pathlib import Path

from tweets.parsing import characters, hosts
from tweets.parsing.emoji import EMOJI, MAX_EMOJI
from tweets.parsing.links import MAX_LINK, MAX_SHORT_NAME
from tweets.parsing.top_level_domains import BY_FIRST_CHARACTER, IN_ASCII
from tweets.parsing.weights import EMOJI_WEIGHT, LINK_WEIGHT
from tweets.writing.text import MAX_CODE_POINTS, MAX_WEIGHT

PATH = Path(__file__).parents[1] / "config/static/client/weights/tables.js"
HEADING = """\
// What a text's weight depends on, as tweets/parsing has it. Written by tests/weight_tables.py: do not edit.
"""
LINE = 90
ESCAPE = re.compile(r"\\U00([0-9a-f]{6})")
CLASSES = (
    "ACCENTED",
    "ASTRAL",
    "NOT_AT_PART_END",
    "NOT_BEFORE_LINK",
    "NOT_IN_HOST",
    "PATH",
    "PATH_END",
    "QUERY",
    "QUERY_END",
)
NUMBERS = {
    "EMOJI_WEIGHT": EMOJI_WEIGHT,
    "LABEL_MAX": hosts.LABEL_MAX,
    "LINK_WEIGHT": LINK_WEIGHT,
    "MAX_CODE_POINTS": MAX_CODE_POINTS,
    "MAX_EMOJI": MAX_EMOJI,
    "MAX_LINK": MAX_LINK,
    "MAX_SHORT_NAME": MAX_SHORT_NAME,
    "MAX_WEIGHT": MAX_WEIGHT,
    "SURELY_FITS": hosts.SURELY_FITS,
}


def tables() -> str:
    """Returns the module."""
    others = [name for group in BY_FIRST_CHARACTER.values() for name in group]
    made = [HEADING, *(f"export const {name} = {number};" for name, number in NUMBERS.items())]
    made += [f"export const {name} = {_text(_in_javascript(getattr(characters, name)))};" for name in CLASSES]
    made.append(f"export const EMOJI = {_text(_in_javascript(EMOJI.pattern))};")
    made.append(f"export const DOMAINS_IN_ASCII = {_text(' '.join(sorted(IN_ASCII)))};")
    made.append(f"export const OTHER_DOMAINS = {_text(' '.join(others))};")
    return "\n".join(made) + "\n"


def _in_javascript(pattern: str) -> str:
    """Returns the regular expression as JavaScript writes it, under its flag u."""
    escaped = ESCAPE.sub(lambda found: rf"\u{{{int(found[1], 16):x}}}", pattern)
    return "".join(each if each.isascii() else rf"\u{{{ord(each):x}}}" for each in escaped)


def _text(text: str) -> str:
    """Returns a string, over several lines if need be."""
    pieces = [text[place : place + LINE] for place in range(0, len(text), LINE)]
    return "\n  + ".join(json.dumps(piece, ensure_ascii=False) for piece in pieces)


if __name__ == "__main__":
    PATH.write_text(tables(), encoding="utf-8")
