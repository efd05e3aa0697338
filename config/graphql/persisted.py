"""Documents that are known by their hash, so that clients need not send them.

A request names one by its SHA-256 in hexadecimal, in the form of Apollo's automatic persisted queries, and needs no
`query`:

    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "…"}}, "variables": {…}}

There are two sorts. A deployment may bring a list, the file GRAPHQL_DOCUMENTS, a JSON object of documents by their
hash, and can make those the only ones (GRAPHQL_DOCUMENTS_ONLY). And clients may register theirs (GRAPHQL_REGISTERING):
one that is told that its hash is not known sends it with the text, which is then kept for a while (registered.py).
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from django.conf import settings
from graphql import GraphQLError

from config.graphql import registered
from config.graphql.documents import CheckedDocument, Invalid, holds_texts, may_write
from storage.errors import BadRequest

NOT_FOUND = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
NOT_SUPPORTED = ("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
"""Message and code as Apollo's clients know them: send the text; do not try again with hashes."""


VERSION = 1


class _Persisted(msgspec.Struct):
    sha256Hash: str
    version: int = 1


class _Extensions(msgspec.Struct):
    persistedQuery: _Persisted | None = None


def document_of(query: object, extensions: object) -> object:
    """Returns the document that is meant: `query`, or the one that `extensions` name.

    Costs a hash at most, and for one that was registered and is new to this process one Redis round trip. Raises
    `Invalid` for one that is not known, or not listed where it must be, `BadRequest` for a hash that is not the text's.
    """
    named = _hash_in(extensions)
    if query is None and named is not None:
        return _known(named)
    if not isinstance(query, str) or (named is None and not settings.GRAPHQL_DOCUMENTS_ONLY):
        return query
    own = hashlib.sha256(query.encode()).hexdigest()
    if named not in (None, own):
        raise BadRequest("sha256Hash is not that of query.", code="bad_query")
    if settings.GRAPHQL_DOCUMENTS_ONLY and own not in _listed():
        raise Invalid([_refusal("Only listed documents are executed here.", "not_listed")])
    return query


def register(query: object, extensions: object, document: CheckedDocument, address: str) -> None:
    """Keeps a document that came with its hash, and was found to be valid, for who names it next.

    Not one that writes, and has texts in it: a hash is no secret, and a password may be one of them. `address` is whom
    it counts for. Costs as `registered.keep` does, and nothing without a hash.
    """
    named = _hash_in(extensions)
    if named is None or not isinstance(query, str) or not _registering():
        return
    if not (may_write(document) and holds_texts(document)):
        registered.keep(named, query, address)


def is_listed(query: object, extensions: object) -> bool:
    """Returns whether the document that is meant is one of the deployment's own. Costs a hash if there is a list."""
    listed = _listed()
    if not listed:
        return False
    named = hashlib.sha256(query.encode()).hexdigest() if isinstance(query, str) else _hash_in(extensions)
    return named in listed


def _known(named: str) -> str:
    listed = _listed()
    text = listed.get(named)
    if text is None and _registering():
        text = registered.find(named)
    if text is None:
        raise Invalid([_refusal(*(NOT_FOUND if listed or _registering() else NOT_SUPPORTED))], status=200)
    return text


def _registering() -> bool:
    return bool(settings.GRAPHQL_REGISTERING and not settings.GRAPHQL_DOCUMENTS_ONLY)


def _hash_in(extensions: object) -> str | None:
    """Other extensions are nobody's business."""
    try:
        named = msgspec.convert(extensions or {}, _Extensions).persistedQuery
    except msgspec.ValidationError as error:
        raise BadRequest("extensions.persistedQuery must have a sha256Hash.", code="bad_query") from error
    if named is not None and named.version != VERSION:
        raise BadRequest(f"extensions.persistedQuery is of version {VERSION} here.", code="bad_query")
    return named.sha256Hash.lower() if named is not None else None


def _listed() -> Mapping[str, str]:
    path: str = settings.GRAPHQL_DOCUMENTS
    return _read(path) if path else {}


@cache
def _read(path: str) -> Mapping[str, str]:
    """Returns the list. Raises `ValueError` for one with another hash: the file was not made from its documents."""
    documents = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, str])
    for name, text in documents.items():
        if hashlib.sha256(text.encode()).hexdigest() != name:
            raise ValueError(f"{path}: {name} is not the hash of its document")
    return documents


def _refusal(message: str, code: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})
