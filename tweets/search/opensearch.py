"""The search index in OpenSearch, for products of several machines: one index, which is made when it is missing.

    alias `tweets` ──► index `tweets-1`: id, author, words, hashtags

SEARCH_URL names an alias. Whoever writes asks for one (`require_alias`), so a cluster cannot make an index of its own
accord, with a mapping that it guesses. The index keeps no text: of a document only which words are where, and its id.
It is sorted by id, newest first, so that a page of a common word is read from its beginning and no further.

Words are taken apart at spaces and otherwise left as they are; a query is a tree of terms and phrases, of which no part
is parsed: there is nothing to escape from.

**All or nothing.** What some shards do not answer, or not in time, is `Unavailable`, and no shorter page.
A write that was given up may still happen, once the node goes on: later than a removal that came after it. Such a
document is of a tweet that hydration hides.
"""

import time
from collections.abc import Collection, Sequence
from typing import Any

import structlog
from opensearchpy import OpenSearch, RequestError
from urllib3 import Timeout

from storage.ids.snowflakes import MAX_ID
from tweets.search.addresses import address_of
from tweets.search.opensearch_bodies import (
    MAPPING,
    Line,
    index_of,
    line_of,
    putting,
    query_of,
    requests_of,
    settings_of,
)
from tweets.search.opensearch_client import Call, Missing, OpenSearchClient, T
from tweets.search.port import READ_SECONDS, WRITE_SECONDS, Answered, Document, IndexQuery, Late

SHARDS_SHARE = 0.75
"""Of the time of a search, after which shards give it up; the rest is for the way."""
BULK_MS = 1_500
"""Milliseconds of WRITE_SECONDS: so long the node waits for a shard that is not there."""
MAKE_SECONDS = 10.0
"""In which an index is made, once in its life."""
OF_A_DOCUMENT = ("mapper_parsing_exception", "illegal_argument_exception")
"""Refusals, with the status 400, of what one document says."""

log = structlog.get_logger(__name__)


class OpenSearchIndex:
    """See `tweets.search.port.SearchIndex`. Who writes to an index that is missing makes it, within MAKE_SECONDS more,
    and so does who asks how it is; who searches one finds nothing."""

    def __init__(self, url: str) -> None:
        self._address = address_of(url)
        self._name = self._address.index
        self._client = OpenSearchClient(self._address)
        self._is_known = False

    def put(self, documents: Sequence[Document]) -> None:
        self._write([putting(each) for each in documents])

    def remove(self, ids: Collection[int]) -> None:
        self._write([line_of({"delete": {"_id": str(each)}}) for each in ids])

    def find(
        self, query: IndexQuery, *, above: int = 0, below: int = MAX_ID, limit: int, within: float | None = None
    ) -> list[int]:
        seconds = READ_SECONDS if within is None else min(within, READ_SECONDS)
        body = {"query": query_of(query, above, below), "sort": [{"id": "desc"}], "size": limit}
        nothing: list[dict[str, Any]] = []
        return [hit["sort"][0] for hit in self._read(self._search(body, seconds), seconds, nothing)]

    def count(self) -> int:
        def ask(client: OpenSearch, within: Timeout) -> int:
            return int(client.count(index=self._name, request_timeout=within)["count"])

        return self._read(ask, READ_SECONDS, 0)

    def newest(self) -> int | None:
        return next(iter(self.find(IndexQuery(), limit=1)), None)

    def identity(self) -> str:
        def ask(client: OpenSearch, within: Timeout) -> str:
            found = client.indices.get_settings(index=self._name, name="index.uuid", request_timeout=within)
            return ",".join(each["settings"]["index"]["uuid"] for each in found.values())

        return self._ask(ask, READ_SECONDS)

    def refresh(self) -> None:
        def ask(client: OpenSearch, within: Timeout) -> None:
            _whole(client.indices.refresh(index=self._name, request_timeout=within))

        self._ask(ask, WRITE_SECONDS)

    def ping(self) -> None:
        """Of an index that is there, or is made: whoever looks hears of one that cannot be."""
        self._ask(self._search({"size": 0, "terminate_after": 1}, READ_SECONDS), READ_SECONDS)

    def _search(self, body: dict[str, Any], seconds: float) -> Call[list[dict[str, Any]]]:
        options = {
            "track_total_hits": False,
            "stored_fields": "_none_",
            "timeout": f"{max(int(seconds * SHARDS_SHARE * 1_000), 1)}ms",
        }

        def ask(client: OpenSearch, within: Timeout) -> list[dict[str, Any]]:
            found = client.search(
                body=body | options,
                index=self._name,
                request_timeout=within,
                allow_partial_search_results=False,
                filter_path="timed_out,_shards,hits.hits.sort",
            )
            return list(_whole(found).get("hits", {}).get("hits", []))

        return ask

    def _write(self, lines: Sequence[Line]) -> None:
        for body in requests_of(lines):
            self._ask(self._bulk(body), WRITE_SECONDS)

    def _bulk(self, body: bytes) -> Call[None]:
        def ask(client: OpenSearch, within: Timeout) -> None:
            answer = client.bulk(
                body=body,
                index=self._name,
                request_timeout=within,
                timeout=f"{BULK_MS}ms",
                require_alias=True,
                filter_path="errors,items.*._id,items.*.status,items.*.error.type",
            )
            if answer["errors"]:
                _refused(answer["items"])

        return ask

    def _read(self, call: Call[T], seconds: float, nothing: T) -> T:
        """What `call` answers in that time; `nothing` where there is no index: to make one takes longer than whoever
        searches may wait."""
        ends = time.monotonic() + seconds
        try:
            if not self._is_known:
                self._check(self._client.ask(self._mappings, until=ends))
            return self._client.ask(call, until=ends)
        except Missing:
            self._is_known = False
            return nothing

    def _ask(self, call: Call[T], seconds: float) -> T:
        """What `call` answers, of an index that is there: a missing one is made, and asked once more."""
        ends = time.monotonic() + seconds
        try:
            if self._is_known:
                return self._client.ask(call, until=ends)
        except Missing:
            self._is_known = False
        try:
            self._make_sure(ends)
            return self._client.ask(call, until=max(ends, time.monotonic() + seconds / 2))
        except Missing as error:
            log.error("search_index_is_missing", index=self._name)
            raise Answered from error

    def _make_sure(self, ends: float) -> None:
        """Makes the index if there is none."""
        try:
            found = self._client.ask(self._mappings, until=ends)
        except Missing:
            self._client.ask(self._create, until=time.monotonic() + MAKE_SECONDS)
            found = self._client.ask(self._mappings, until=time.monotonic() + READ_SECONDS)
        self._check(found)

    def _check(self, found: dict[str, Any]) -> None:
        """Raises `Unavailable` for an index that is not as MAPPING says."""
        if self._name in found or any(each != MAPPING for each in found.values()):
            log.error("search_index_is_another", index=index_of(self._address), found=sorted(found))
            raise Answered
        self._is_known = True

    def _mappings(self, client: OpenSearch, within: Timeout) -> dict[str, Any]:
        """Those of all that the name stands for, by their own names; of an index of that name, its own."""
        found = client.indices.get_mapping(index=self._name, request_timeout=within)
        return {name: each["mappings"] for name, each in found.items()}

    def _create(self, client: OpenSearch, within: Timeout) -> None:
        name, body = index_of(self._address), settings_of(self._address) | {"mappings": MAPPING}
        aliases = {self._name: {"is_write_index": True}}
        try:
            client.indices.create(index=name, body=body | {"aliases": aliases}, request_timeout=within)
        except RequestError as error:
            # Another process was first.
            if error.error != "resource_already_exists_exception":
                raise
        else:
            log.warning("search_index_made", index=name)


def _refused(items: list[dict[str, Any]]) -> None:
    """Raises what the refusals of a bulk mean, if there are any but of documents that are at fault themselves.

    Those are named and left out: were they tried for ever, nothing behind them would be indexed. Where all of several
    are refused, none of them is at fault.
    """
    answers = [answer for item in items for answer in item.values()]
    refused = [each for each in answers if "error" in each]
    faulty = [each for each in refused if each.get("status") == 400 and each["error"]["type"] in OF_A_DOCUMENT]
    if len(faulty) == len(answers) > 1:
        faulty = []
    for each in faulty:
        log.error("search_refuses_a_document", tweet_id=each.get("_id"), error=each["error"]["type"])
    kinds = {each["error"]["type"] for each in refused if each not in faulty}
    if kinds == {"index_not_found_exception"}:
        raise Missing
    if kinds:
        log.warning("search_refuses_writes", error=", ".join(sorted(kinds)))
        raise Late


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, if all shards gave theirs, and in time."""
    failed, is_late = answer.get("_shards", {}).get("failed", 0), answer.get("timed_out", False)
    if failed or is_late:
        log.warning("search_is_incomplete", shards=failed, error="timed out" if is_late else "shards failed")
        raise Late
    return answer
