"""Random texts full of what texts are read for: signs, links of all shapes, scripts, emoji, joiners, marks."""

import random


def _parted(pieces: str) -> list[str]:
    return pieces.split(" ")


SIGNS = _parted("@ @ @ @ # # # ＠ ＃ $ & . . . / / / : : - _ , ; ! ? = ( ) [ ] ' \" ` ~ * + | % ^ < > { }")
PAIRS_OF_SIGNS = _parted(":// /@ /# #@ @# .@ ## @@ &# -@")
NAMES = _parted("@ann @Bob_42 ＠eve @ann @bob, #tag #iOS #日本語 ＃タグ #tag #1 #café #हिन्दी #a1 #_a")
SPACES = [*[" "] * 20, "\n", "\t", "\r", "\u00a0", "\u3000", "\u2028", "\u180e"]
WORDS = _parted("a b c x tag Ann user_1 a_b a-b _a RT rt: art iOS list-1 namenamenamenamename K ſ İ")
DIGITS = _parted("0 1 2 42 8080 1.2 ٣ ٠ ² ½ ⅷ １")
LATIN = [*"éñřüßøłıÿþɠʻιὰẽ", "e\u0301", "n\u0303", "\u0345", "\u1fbe", "ﬁ"]
SCRIPTS = [
    *"日本語漢字例えカーンア한글中国々〃〜～・。、！ー゠ヶ",
    *_parted("שלום אב ׳ ״ ־ عربي हिन्दी ไทย Привет рф ж 𠀀 𐐀 𝒜"),
]
LINE_ENDS = ["\r\n", *"\n" * 5]
MARKS = _parted("\u0301 \u0323 \u3099 \u20dd \u200d \u200c \ufe0f \ufe0e \u20e3 \U000e0100")
DIRECTIONS = _parted("\u200e \u200f \u202e \u2066 \u2069 \u061c \u200b \u2060 \u00ad \ufeff")
EMOJI = _parted(
    "😀 ❤\ufe0f ❤ ✌\ufe0f ✌🏽 ☝\ufe0f🏽 👍🏽 👩\u200d👩\u200d👧 👨\u200d💻 🏳\ufe0f\u200d🌈 🇩🇪 🇩"
    " 1\ufe0f\u20e3 #\ufe0f\u20e3 © ® ™ ©\ufe0f ☺\ufe0e 🏽 ⛹\ufe0f\u200d♀\ufe0f"
)
PROTOCOLS = _parted("http:// https:// HTTP:// HttpS:// http:/ ftp:// ://")
SHORT = [
    *_parted("t.co/abc http://t.co/abc https://t.co/abc/def https://t.co/a?b=c. http://t.co/"),
    "http://t.co/" + "a" * 41,
]
PIECES: tuple[list[str], ...] = (
    *(NAMES, NAMES, SIGNS, SIGNS, PAIRS_OF_SIGNS, SPACES, SPACES, WORDS, WORDS, DIGITS),
    *(LATIN, SCRIPTS, SCRIPTS, MARKS, LINE_ENDS, DIRECTIONS, EMOJI, PROTOCOLS, SHORT),
)
PLANES = (
    *((0x20, 0x500), (0x500, 0x2000), (0x2000, 0x3400), (0x3400, 0xD7FF)),
    *((0xE000, 0xFFFF), (0x10000, 0x11000), (0x1F000, 0x1FAFF)),
)

LABELS = _parted("a b1 www example xn-- xn--p1ai é 例 漢字 a_b a-b - _ 。 𠀀 ñandú co t")
GLUE = [".", ".", ".", "..", "。", ""]
ENDINGS = _parted("com org de co.uk jp COM 中国 рф РФ vermögensberater 嘉里 嘉里大酒店 भारतम् xn--p1ai co nothing c")
TAILS = _parted(
    "   / :80 :80/a /a /a. /.. /a..b /(a) /a(b(c)d)e /(a /(a)(b) /;(a)x /((a)b). /é /漢 /a漢 /@ann /#a /a/@b/"
    " ?q=1 /?q=1 /? ? /?a=(b)&c #f /a#f /– /%20' /а"
)


def random_text(made: random.Random) -> str:
    """Returns up to 30 pieces, some of them repeated, with a character of any plane now and then."""
    return "".join(_piece(made) for _ in range(made.choice((2, 3, 4, 6, 8, 12, 20, 30))))


def _piece(made: random.Random) -> str:
    chance = made.random()
    if chance < 0.1:
        return _link(made)
    if chance < 0.12:
        return chr(made.randrange(*made.choice(PLANES)))
    piece = made.choice(made.choice(PIECES))
    return piece * made.randrange(2, 6) if chance < 0.15 else piece


def _link(made: random.Random) -> str:
    labels = [made.choice(LABELS) for _ in range(made.randrange(1, 4))]
    host = made.choice(GLUE).join(labels) + "." + made.choice(ENDINGS)
    return made.choice(("", "", "", *PROTOCOLS[:4])) + host + made.choice(TAILS)
