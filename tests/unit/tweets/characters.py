"""Pieces of text that count in their own ways."""

FAMILY = "👩‍👩‍👧‍👦"
FLAG = "🇩🇪"
LINK = "https://example.org/"
