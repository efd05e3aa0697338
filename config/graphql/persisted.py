"""Documents that are known by their hash: an allow-list that a deployment brings, and can make the only ones.

The list is a JSON object of documents by their SHA-256 in hexadecimal, in the file GRAPHQL_DOCUMENTS. A request names
one of them in the form of Apollo's clients, and needs no `query`:

    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "…"}}, "variables": {…}}

Clients that send the hash first and the text when they are told that it is not known work as well. Nothing that clients
send is added to the list.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from django.conf import settings
from graphql import GraphQLError

from config.graphql.documents import Invalid
from storage.errors import BadRequest

NOT_FOUND = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
NOT_SUPPORTED = ("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
"""Message and code as Apollo's clients know them: send the text; do not try again with hashes."""


class _Persisted(msgspec.Struct):
    sha256Hash: str


class _Extensions(msgspec.Struct):
    persistedQuery: _Persisted | None = None


def document_of(query: object, extensions: object) -> object:
    """Returns the document that is meant: `query`, or the listed one that `extensions` name. Costs a hash at most.

    Raises `Invalid` for one that is not in the list, `BadRequest` for a hash that is not the text's.
    """
    named = _hash_in(extensions)
    if query is None and named is not None:
        listed = _listed()
        if named not in listed:
            raise Invalid([_refusal(*(NOT_FOUND if listed else NOT_SUPPORTED))], status=200)
        return listed[named]
    if not isinstance(query, str) or (named is None and not settings.GRAPHQL_DOCUMENTS_ONLY):
        return query
    own = hashlib.sha256(query.encode()).hexdigest()
    if named not in (None, own):
        raise BadRequest("sha256Hash is not that of query.", code="bad_query")
    if settings.GRAPHQL_DOCUMENTS_ONLY and own not in _listed():
        raise Invalid([_refusal("Only listed documents are executed here.", "not_listed")])
    return query


def _hash_in(extensions: object) -> str | None:
    """Other extensions are nobody's business."""
    try:
        named = msgspec.convert(extensions or {}, _Extensions).persistedQuery
    except msgspec.ValidationError as error:
        raise BadRequest("extensions.persistedQuery must have a sha256Hash.", code="bad_query") from error
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
