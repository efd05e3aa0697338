"""What a GraphQL document may be as a text, decided before it is parsed.

Parsing takes some fifteen microseconds a token, in Python; a regular expression counts tokens at a
fiftieth of that. So whatever is too long to be parsed at less than the cost of a page is refused
for next to nothing. The parser has the same bound on tokens: should the two ever count otherwise,
the stricter one holds.
"""

import re

from graphql import GraphQLError, Node

MAX_CHARACTERS = 20_000
"""Spaces at the end not counted. One string, name or comment of all of them is parsed in 5 ms."""
MAX_TOKENS = 800
"""Comments are tokens. The whole of a page of tweets and what they quote is 120, the introspection query 190."""
MAX_BRACKETS = 60
"""Open at once. Fields may be twelve deep, and introspection's own query opens ten."""

MAX_LINES = 300
"""To say where a mistake is, graphql-core counts the lines before it, for each mistake anew. The introspection query
has a hundred."""
MAX_DIGITS = 400
"""Of a number. Python reads up to 4,300; the largest float has 309."""

MAX_NAME = 200
"""Characters. Messages repeat names, some of them twenty times."""

_LINE_BREAK = re.compile(r"\r\n|[\n\r]")
_TOKEN = re.compile(
    r'"""(?:[^"\\]++|\\(?:""")?+|"(?!""))*+(?:""")?+'  # a block string, ended or not
    r'|"(?:[^"\\\r\n]++|\\.)*+"?+'
    r"|\#[^\r\n]*+"
    r"|\.\.\."
    r"|[_A-Za-z][_0-9A-Za-z]*+"
    r"|-?[0-9][0-9.eE+-]*+"
    r"|[^\s,]"
)
"""Each alternative takes what it can and gives nothing back, so a scan takes time in proportion to the text."""


class TooMuch(GraphQLError):
    """The document asks for more than anyone needs."""

    def __init__(self, message: str, node: Node | None = None) -> None:
        super().__init__(message, node, extensions={"code": "too_complex"})


def check_text(query: str) -> int:
    """Returns how many tokens the text has. Raises `TooMuch`.

    Says nothing about texts that are no document; the parser does.
    """
    if len(query) > MAX_CHARACTERS:
        raise TooMuch(f"The document has {len(query)} characters; {MAX_CHARACTERS} are allowed: use variables.")
    lines = 1 + len(_LINE_BREAK.findall(query))
    if lines > MAX_LINES:
        raise TooMuch(f"The document has {lines} lines; {MAX_LINES} are allowed.")
    tokens = _TOKEN.findall(query)
    if len(tokens) > MAX_TOKENS:
        raise TooMuch(f"The document has {len(tokens)} tokens; {MAX_TOKENS} are allowed.")
    digits = max((len(token) for token in tokens if token[0] in _NUMERIC), default=0)
    if digits > MAX_DIGITS:
        raise TooMuch(f"A number of {digits} digits; {MAX_DIGITS} are allowed.")
    if max((len(token) for token in tokens if token[0] == "_" or token[0].isalpha()), default=0) > MAX_NAME:
        raise TooMuch(f"A name of more than {MAX_NAME} characters.")
    deepest = _deepest(tokens)
    if deepest > MAX_BRACKETS:
        raise TooMuch(f"The document is nested too deeply: {deepest} brackets; {MAX_BRACKETS} are allowed.")
    return len(tokens)


def count_tokens(query: str) -> int:
    """Returns how many tokens the text has."""
    return len(_TOKEN.findall(query))


def _deepest(tokens: list[str]) -> int:
    """Returns how many brackets are open at once, at the most."""
    depth = deepest = 0
    for token in tokens:
        if token in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif token in _CLOSING:
            depth -= 1
    return deepest


_NUMERIC = frozenset("-0123456789")
_OPENING, _CLOSING = frozenset("{(["), frozenset("})]")
