"""Emoji of several characters, each of which weighs as much as one.

Those that twitter-text 3.1 knows (twemoji-parser 11, of 2018), and those that Unicode has added
since, up to Emoji 17 (as @twemoji/parser 17 has them; both MIT, (c) Twitter, Inc and other
contributors). An emoji of one character needs no rule of its own: it weighs 2 as it is.
"""

import re

MAX_EMOJI = 10
"""Code points of the longest one: two people of their own colours, who kiss."""

_SHOWN_AS_TEXT = (
    r"\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23ed-\u23ef"
    r"\u23f1\u23f2\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2604\u260e\u2611\u2614\u2615"
    r"\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642\u2648-\u2653\u265f\u2660"
    r"\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b\u269c\u26a0\u26a1\u26a7\u26aa\u26ab"
    r"\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26cf\u26d1\u26d3\u26d4\u26e9\u26ea\u26f0-\u26f5\u26f7-\u26fa"
    r"\u26fd\u2702\u2708\u2709\u270c\u270d\u270f\u2712\u2714\u2716\u271d\u2721\u2733\u2734\u2744\u2747\u2757"
    r"\u2763\u2764\u27a1\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f004"
    r"\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f202\U0001f21a\U0001f22f\U0001f237\U0001f321"
    r"\U0001f324-\U0001f32c\U0001f336\U0001f37d\U0001f396\U0001f397\U0001f399-\U0001f39b\U0001f39e\U0001f39f"
    r"\U0001f3cb-\U0001f3ce\U0001f3d4-\U0001f3df\U0001f3f3\U0001f3f5\U0001f3f7\U0001f43f\U0001f441\U0001f4fd"
    r"\U0001f549\U0001f54a\U0001f56f\U0001f570\U0001f573-\U0001f579\U0001f587\U0001f58a-\U0001f58d\U0001f590"
    r"\U0001f5a5\U0001f5a8\U0001f5b1\U0001f5b2\U0001f5bc\U0001f5c2-\U0001f5c4\U0001f5d1-\U0001f5d3"
    r"\U0001f5dc-\U0001f5de\U0001f5e1\U0001f5e3\U0001f5e8\U0001f5ef\U0001f5f3\U0001f5fa\U0001f6cb"
    r"\U0001f6cd-\U0001f6cf\U0001f6e0-\U0001f6e5\U0001f6e9\U0001f6f0\U0001f6f3\U0001faf0"
)
"""What is an emoji with the variation selector behind it."""
_COLOURED = (
    r"\u270a\u270b\U0001f385\U0001f3c2-\U0001f3c4\U0001f3c7\U0001f3ca\U0001f442\U0001f443\U0001f446-\U0001f450"
    r"\U0001f466-\U0001f469\U0001f46b-\U0001f478\U0001f47c\U0001f481-\U0001f483\U0001f485-\U0001f487\U0001f48f"
    r"\U0001f491\U0001f4aa\U0001f57a\U0001f595\U0001f596\U0001f645-\U0001f647\U0001f64b-\U0001f64f\U0001f6a3"
    r"\U0001f6b4-\U0001f6b6\U0001f6c0\U0001f6cc\U0001f90c\U0001f90f\U0001f918-\U0001f91f\U0001f926"
    r"\U0001f930-\U0001f939\U0001f93c-\U0001f93e\U0001f977\U0001f9b5\U0001f9b6\U0001f9b8\U0001f9b9\U0001f9bb"
    r"\U0001f9cd-\U0001f9cf\U0001f9d1-\U0001f9dd\U0001fac3-\U0001fac5\U0001faf1-\U0001faf8"
)
"""People and hands, which may have a colour behind them."""
_COLOURED_AFTER_SELECTOR = r"\u261d\u26f7\u26f9\u270c\u270d\U0001f3cb\U0001f3cc\U0001f574\U0001f575\U0001f590\U0001faf0"
"""The same, between which and the colour a variation selector may stand."""
_WOMEN_AND_MEN = (
    r"\U0001f3c3\U0001f3c4\U0001f3ca\U0001f46e-\U0001f471\U0001f473\U0001f477\U0001f481\U0001f482"
    r"\U0001f486\U0001f487\U0001f645-\U0001f647\U0001f64b\U0001f64d\U0001f64e\U0001f6a3\U0001f6b4-\U0001f6b6"
    r"\U0001f926\U0001f935\U0001f937-\U0001f939\U0001f93c-\U0001f93e\U0001f9b8\U0001f9b9\U0001f9cd-\U0001f9cf"
    r"\U0001f9d4\U0001f9d6-\U0001f9df"
)
"""Of whom there are women and men."""
_WOMEN_AND_MEN_AFTER_SELECTOR = r"\u26f9\U0001f3cb\U0001f3cc\U0001f574\U0001f575"
"""The same, with a colour or a variation selector in between."""
_REGIONS = (
    "ACDEFGILMOQRSTUWXZ",
    "BABDEFGHIJLMNOQRSTVWYZ",
    "CACDFGHIKLMNOPQRUVWXYZ",
    "DEGJKMOZ",
    "EACEGHRSTU",
    "FIJKMOR",
    "GABDEFGHILMNPQRSTUWY",
    "HKMNRTU",
    "ICDELMNOQRST",
    "JEMOP",
    "KEGHIMNPRWYZ",
    "LABCIKRSTUVY",
    "MACDEFGHKLMNOPQRSTUVWXYZ",
    "NACEFGILOPRUZ",
    "OM",
    "PAEFGHKLMNRSTWY",
    "QA",
    "REOSUW",
    "SABCDEGHIJKLMNORSTVXYZ",
    "TACDFGHJKLMNORTVWZ",
    "UAGMNSYZ",
    "VACEGINU",
    "WFS",
    "XK",
    "YET",
    "ZAMW",
)
"""First letters of flags, each with the second ones that it goes with."""


def _letter(letter: str) -> str:
    """Returns the regional indicator: flags are written with two of them."""
    return chr(ord(letter) - ord("A") + 0x1F1E6)


_COLOUR = r"[\U0001f3fb-\U0001f3ff]"
_JOINED = r"\u200d"
_SELECTED = r"\ufe0f"
_MAN, _WOMAN, _PERSON = r"\U0001f468", r"\U0001f469", r"\U0001f9d1"
_BOY, _GIRL, _CHILD = r"\U0001f466", r"\U0001f467", r"\U0001f9d2"
_GOING_RIGHT = rf"{_JOINED}\u27a1{_SELECTED}"
_TOGETHER = (
    rf"{_JOINED}(?:\u2764{_SELECTED}{_JOINED}(?:\U0001f48b{_JOINED})?|[\U0001f430\U0001f91d\U0001faef]{_JOINED})"
)
"""With a heart, and kissing; with bunny ears, holding hands, fighting."""
_BEGIN_OF_SEQUENCES = (
    rf"{_MAN}{_COLOUR}?{_TOGETHER}{_MAN}{_COLOUR}?",
    rf"{_WOMAN}{_COLOUR}?{_TOGETHER}[{_MAN}{_WOMAN}]{_COLOUR}?",
    rf"{_PERSON}{_COLOUR}?{_TOGETHER}{_PERSON}{_COLOUR}?",
    rf"(?:{_MAN}{_JOINED}[{_MAN}{_WOMAN}]|{_WOMAN}{_JOINED}{_WOMAN}|{_MAN}|{_WOMAN}){_JOINED}"
    rf"(?:{_BOY}{_JOINED}{_BOY}|{_GIRL}{_JOINED}[{_BOY}{_GIRL}]|[{_BOY}{_GIRL}])",
    rf"{_PERSON}{_JOINED}(?:{_PERSON}{_JOINED})?{_CHILD}(?:{_JOINED}{_CHILD})?",
    # What somebody does for a living, looks like, or sits in.
    rf"[{_MAN}{_WOMAN}{_PERSON}]{_COLOUR}?{_JOINED}"
    rf"(?:[\u2695\u2696\u2708]{_SELECTED}"
    r"|[\U0001f33e\U0001f373\U0001f37c\U0001f384\U0001f393\U0001f3a4\U0001f3a8\U0001f3eb\U0001f3ed\U0001f4bb\U0001f4bc"
    rf"\U0001f527\U0001f52c\U0001f680\U0001f692\U0001f9af-\U0001f9b3\U0001f9bc\U0001f9bd\U0001fa70])(?:{_GOING_RIGHT})?",
    rf"[{_WOMEN_AND_MEN}]{_COLOUR}?{_JOINED}[\u2640\u2642]{_SELECTED}(?:{_GOING_RIGHT})?",
    rf"[{_WOMEN_AND_MEN_AFTER_SELECTOR}](?:{_COLOUR}|{_SELECTED}){_JOINED}[\u2640\u2642]{_SELECTED}(?:{_GOING_RIGHT})?",
    rf"[\U0001f3c3\U0001f6b6\U0001f9ce]{_COLOUR}?{_GOING_RIGHT}",
    rf"\U0001faf1{_COLOUR}{_JOINED}\U0001faf2{_COLOUR}",
)
_OTHER_SEQUENCES = (
    rf"\U0001f441(?:{_JOINED}\U0001f5e8|{_SELECTED}{_JOINED}\U0001f5e8{_SELECTED})",
    rf"\U0001f3f3{_SELECTED}{_JOINED}(?:\u26a7{_SELECTED}|\U0001f308)",
    rf"\U0001f3f4{_JOINED}\u2620{_SELECTED}",
    rf"\U0001f636{_JOINED}\U0001f32b{_SELECTED}",
    rf"\u26d3{_SELECTED}{_JOINED}\U0001f4a5",
    rf"\u2764{_SELECTED}{_JOINED}[\U0001f525\U0001fa79]",
    rf"\U0001f344{_JOINED}\U0001f7eb",
    rf"\U0001f34b{_JOINED}\U0001f7e9",
    rf"\U0001f415{_JOINED}\U0001f9ba",
    rf"\U0001f408{_JOINED}\u2b1b",
    rf"\U0001f426{_JOINED}[\U0001f525\u2b1b]",
    rf"\U0001f43b{_JOINED}\u2744{_SELECTED}",
    rf"\U0001f62e{_JOINED}\U0001f4a8",
    rf"\U0001f635{_JOINED}\U0001f4ab",
    rf"\U0001f642{_JOINED}[\u2194\u2195]{_SELECTED}",
)
_FLAGS = (
    # England, Scotland and Wales.
    r"\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    r"|\U000e0077\U000e006c\U000e0073)\U000e007f",
    *(f"{_letter(each[0])}[{''.join(map(_letter, each[1:]))}]" for each in _REGIONS),
)
_IN_COLOUR = (
    rf"[{_COLOURED_AFTER_SELECTOR}]{_SELECTED}?{_COLOUR}",
    rf"[{_COLOURED}]{_COLOUR}",
    rf"[{_SHOWN_AS_TEXT}]{_SELECTED}",
)
EMOJI = re.compile(
    rf"[#*0-9]{_SELECTED}?\u20e3|(?=[\u00a9\u00ae\u203c-\u3299\U0001f004-\U0001faff])"
    rf"(?:{'|'.join((*_BEGIN_OF_SEQUENCES, *_OTHER_SEQUENCES, *_FLAGS, *_IN_COLOUR))})"
)
"""At the places where one begins; nearly all others it leaves after one look."""
