"""What OpenSearch is told and asked, as JSON: the index's mapping and settings, documents, and queries."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from storage.ids.snowflakes import MAX_ID
from tweets.search.addresses import Address
from tweets.search.port import Document, IndexQuery, Phrase

MAPPING = {
    "dynamic": "strict",
    "_source": {"enabled": False},
    "properties": {
        "id": {"type": "long"},
        "author": {"type": "keyword", "doc_values": False},
        "words": {"type": "text", "analyzer": "whitespace", "norms": False},
        "hashtags": {"type": "keyword", "doc_values": False},
    },
}
VERSION = 1
"""Of MAPPING: another one is another index."""
REFRESH = "500ms"
"""Half of VISIBLE_SECONDS: a refresh takes time, too."""
BULK_BYTES = 8_000_000
"""Of a request: a batch of tweets is a fortieth of it. A node takes 100 MB."""

Line = bytes


def index_of(address: Address) -> str:
    """Returns the index's own name, behind the alias."""
    return f"{address.index}-{VERSION}"


def settings_of(address: Address) -> dict[str, Any]:
    """Returns what an index is made with."""
    copies: dict[str, Any] = {"auto_expand_replicas": "0-1"}
    if address.replicas is not None:
        copies = {"number_of_replicas": address.replicas}
    return {
        "settings": {
            "number_of_shards": address.shards,
            "refresh_interval": REFRESH,
            "sort.field": "id",
            "sort.order": "desc",
            **copies,
        }
    }


def query_of(query: IndexQuery, above: int, below: int) -> dict[str, Any]:
    """Returns the query for ids between the two, of filters alone: nothing is scored."""
    wanted: list[dict[str, Any]] = [_in_words(each) for each in query.phrases]
    wanted += [{"term": {"hashtags": name}} for name in query.hashtags]
    if query.authors:
        wanted.append({"terms": {"author": [str(each) for each in query.authors]}})
    if above > 0 or below < MAX_ID:
        wanted.append({"range": {"id": {"gt": above, "lt": below}}})
    return {"bool": {"filter": wanted, "must_not": [_in_words(each) for each in query.without]}}


def _in_words(phrase: Phrase) -> dict[str, Any]:
    if len(phrase) == 1:
        return {"term": {"words": phrase[0]}}
    return {"match_phrase": {"words": " ".join(phrase)}}


def putting(document: Document) -> Line:
    """Returns the lines of a bulk that put a document."""
    kept = {
        "id": document.id,
        "author": str(document.author_id),
        "words": " ".join(document.words),
        "hashtags": document.hashtags,
    }
    return line_of({"index": {"_id": str(document.id)}}) + line_of(kept)


def line_of(value: object) -> Line:
    """Returns a line of a bulk."""
    return msgspec.json.encode(value) + b"\n"


def requests_of(lines: Iterable[Line]) -> Iterator[bytes]:
    """Returns the lines in their order, as few bodies of BULK_BYTES as they make."""
    body: list[Line] = []
    size = 0
    for line in lines:
        if body and size + len(line) > BULK_BYTES:
            yield b"".join(body)
            body, size = [], 0
        body.append(line)
        size += len(line)
    if body:
        yield b"".join(body)
