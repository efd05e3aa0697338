"""By which names hashtags are listed: one for all ways to write a hashtag, whatever its case, width and composition.

A name is the NFKC of the tag, case folded: `#Berlin`, `#BERLIN` and `#Ｂｅｒｌｉｎ` are one, and so are `#straße` and
`#STRASSE`. Folding knows no language: `#I` and `#i` are one everywhere, and a Turkish `#İ` or `#ı` is neither. What is
a hashtag is not decided here but by the text as it was typed (parsing/entities.py): a name may hold a space, as one
letter stands for several words in Arabic.
"""

import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

from tweets.entities import Tweet
from tweets.parsing.entities import find_hashtags

SIGNS = ("#", "＃")
NAME_MAX = 280
"""Code points. Of letters that stand for themselves no more fit into a tweet; of those that fold into many, a tag that
would be longer is listed nowhere."""
TYPED_MAX = 4 * NAME_MAX
"""Code points of what is asked for: no letter that is composed of more is in use."""
MOST_LISTED = 30
"""Tags of one tweet by which it is listed, the first of them: each is a row, or three, and a message to sockets. As
many as Instagram takes; a text holds up to 93."""


def folded(tag: str) -> str:
    """Returns the name of a tag without its sign. Folding it again changes nothing."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", tag).casefold())


def hashtag_name(typed: str) -> str | None:
    """Returns the name of a hashtag that somebody asks for, with its sign or without; None of what is no hashtag."""
    tag = typed[1:] if typed.startswith(SIGNS) else typed
    if len(tag) > TYPED_MAX or list(find_hashtags(f"#{tag}")) != [(0, 1 + len(tag))]:
        return None
    name = folded(tag)
    return name if len(name) <= NAME_MAX else None


def hashtag_names(tweet: Tweet) -> tuple[str, ...]:
    """Returns the names by which the tweet is listed, each once, in the order in which they stand in it."""
    names = dict.fromkeys(folded(each.tag) for each in tweet.entities.hashtags)
    return tuple(each for each in names if len(each) <= NAME_MAX)[:MOST_LISTED]


def hashtag_numbers(names: Iterable[str]) -> tuple[int, ...]:
    """Returns for each name the number that stands for it where there is room for ids only: orders, live channels.

    Two names may have one number, once in a billion billions; who goes by it has to look at the tweet itself.
    """
    return tuple(int.from_bytes(blake2b(each.encode(), digest_size=8).digest(), "big") >> 1 for each in names)
