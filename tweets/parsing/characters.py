"""Kinds of characters as twitter-text 3.1 has them, to be put between the brackets of a regular expression.

twitter-text's expressions ignore case, and so let in a few letters whose capitals they name:
the Greek iota is among ACCENTED for the sake of a combining one.
"""

import unicodedata

ACCENTED = (
    r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0260\u0263\u0268\u0269\u026f\u0272\u0275"
    r"\u0280\u0283\u0288-\u028c\u0292\u02bb\u0300-\u036f\u0399\u03b9\u1e00-\u1eff\u1fbe\u2c65\u2c66\u2c7e\u2c7f\ua7dc"
)
"""Latin letters with accents, and accents of their own, where case is ignored: in links."""
ACCENTED_BESIDE_MENTION = (
    r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b\u02bb"
    r"\u0300-\u036f\u1e00-\u1eff"
)
"""The same where it is not."""
SPACES = r"\t-\r \u0085\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
DIRECTIONS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""What turns the direction of text."""
NO_CHARACTERS = r"\ufeff\ufffe\uffff"
"""The mark of byte order and what Unicode says is no character: no tweet may have them."""
ASTRAL = r"\U00010000-\U0010ffff"
"""What UTF-16 writes in two halves."""

NOT_IN_HOST = rf"!#%&'()*+,/:;<=>?@\[\\\]\^{{|}}~${SPACES}{NO_CHARACTERS}{DIRECTIONS}"
"""Whatever is none of these may stand in a host name."""
NOT_AT_PART_END = rf"._\-{NOT_IN_HOST}"
"""Nor may these begin or end a part of one."""
NOT_BEFORE_LINK = rf"A-Za-z0-9@＠$#＃{NO_CHARACTERS}"
PATH = rf"a-zA-Z0-9{ACCENTED}\u0400-\u04ff\u1c80-\u1c87!*';:=+,.$/%#\[\]\-\u2013_~@|&"
"""In the path of a link, besides brackets that close again."""
PATH_END = rf"+\-a-zA-Z0-9{ACCENTED}\u0400-\u04ff\u1c80-\u1c87=_#/"
QUERY = r"a-zA-Z0-9!?*'@();:&=+$/%#\[\]\-_.,~|"
QUERY_END = r"a-zA-Z0-9\-_&=#/"

HASHTAG_JOINERS = frozenset(
    "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
"""What may stand in a hashtag besides letters, marks and digits."""


def is_letter(character: str) -> bool:
    """Returns whether it is a letter, or a mark that letters carry: vowel signs, accents, variation selectors."""
    return unicodedata.category(character)[0] in "LM"


def in_hashtag(character: str) -> bool:
    """Returns whether a hashtag goes on with it."""
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd" or character in HASHTAG_JOINERS
