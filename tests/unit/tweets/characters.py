"""Pieces of text that count in their own ways."""

FAMILY = "👩‍👩‍👧‍👦"
FLAG = "🇩🇪"
LINK = "https://example.org/"
BLANKS = tuple(
    "\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u180b\u180e\u2003\u200b\u200d\u200e\u2028\u2029\u202e\u205f"
    "\u2060\u2062\u2065\u2066\u2800\u3000\u3164\ufe0f\ufeff\uffa0\ufff0\ufff9\ufffc\uffff\x07\x7f\x85"
    "\U0001bca0\U0001d159\U0001d173\U000e0001\U000e0041\U000e0100\U000e0fff"
)
"""What shows nothing, by itself."""
