"""The words of a text, as they are indexed and asked for: made here once, so that all engines find the same.

A text is folded first: compatible forms are one (NFKC: `Ｂｅｒｌｉｎ`, `ﬁ`), case is none, and Latin, Greek and
Cyrillic letters lose their accents, so that `café`, `CAFE` and `cafe` are one word. Marks of other scripts are no
accents but part of the word: without its vowel signs, हिन्दी is another one. Folding knows no language: ø stays ø.

Then words are, in the order of the text:

- letters, digits, their marks and `_` that follow one another; `don't` and `e-mail` are two words each, which stand
  side by side
- one character each (UAX 29) of scripts that write no spaces between words, or join much to a word: Chinese, Japanese,
  Korean, Thai, Lao, Khmer and Burmese. So 東京 asks for 東 and 京 side by side, wherever the words around begin
- an emoji as it is seen, with its colour and all that is joined to it; ❤ and ❤️ are one

Nothing else is a word: `c++` is `c`. The sign of a hashtag or mention is none either; what begins with one is found by
its letters. A link is found by the words in it.

For example, "Über #Zürich: 東京👩🏽‍🚀!" has the words uber, zurich, 東, 京, 👩🏽‍🚀.

Unicode's properties come from `regex`, whose tables are a library's business to keep new.
"""

import unicodedata
from itertools import islice

import regex

from tweets.search.port import WORD_MAX, WORDS_MAX, Phrase

_MARKED = regex.compile(r"([\p{Latin}\p{Greek}\p{Cyrillic}])[\p{Mn}]+")
_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc"
"""Scripts of which each character is a word; Japanese's mark of a long vowel is of none."""
_SELECTOR = r"[\ufe0e\ufe0f]?"
_PICTURE = rf"\p{{Extended_Pictographic}}{_SELECTOR}\p{{Emoji_Modifier}}?[\U000e0020-\U000e007f]*"
_KEYCAP = rf"[0-9#*]{_SELECTOR}\u20e3"
_EMOJI = (
    rf"\p{{Regional_Indicator}}{{2}}|{_KEYCAP}|{_PICTURE}(?:\u200d{_PICTURE})*"
    r"|\p{Regional_Indicator}|\p{Emoji_Modifier}"
)
_WORD = regex.compile(
    rf"(?V1)(?P<emoji>{_EMOJI})|(?P<alone>(?=[{_ALONE}])\X)"
    rf"|(?P<word>[[\p{{L}}\p{{N}}_]--[{_ALONE}]]"
    rf"(?:(?!{_KEYCAP})[[\p{{L}}\p{{M}}\p{{N}}_\p{{Default_Ignorable_Code_Point}}]--[{_ALONE}\u20e3]])*)"
)
_UNSEEN = regex.compile(r"\p{Default_Ignorable_Code_Point}")
"""Joiners, soft hyphens and selectors, with or without which a word is the same."""
_SELECTORS = str.maketrans("", "", "\ufe0e\ufe0f")


def words(text: str) -> Phrase:
    """Returns the words of a text in their order, the first WORDS_MAX of them; of a word its first WORD_MAX code
    points. In time that grows with the text's length alone; raises nothing."""
    found = (_seen(match) for match in _WORD.finditer(_folded(text)))
    return tuple(islice((word for word in found if word), WORDS_MAX))


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if folded.isascii():
        return folded
    return unicodedata.normalize("NFC", _MARKED.sub(r"\1", unicodedata.normalize("NFD", folded)))


def _seen(match: "regex.Match[str]") -> str:
    if match["emoji"] is not None:
        return match[0].translate(_SELECTORS)[:WORD_MAX]
    return _UNSEEN.sub("", match[0])[:WORD_MAX]
