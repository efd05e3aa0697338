"""Being the indexer, and asking the search."""

from typing import Any
from unittest.mock import patch

from accounts.models import User
from storage.ids.snowflakes import now_us
from storage.ports.outbox import SETTLED_US
from tests.integration.querying import Door
from tests.integration.speaking import Api
from tweets.search import indexer
from tweets.search.guarded import search_index
from tweets.search.indexer import Indexer
from tweets.search.port import BATCH_MAX, IndexQuery

GRAPHQL = """
query Found($query: String!, $first: Int, $after: String) {
  searchTweets(query: $query, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor } edges { cursor node { id text } }
  }
}
"""
SEARCH = "/search/tweets"


def later(by_us: int) -> Any:
    """The indexer's clock, so much later than everybody's: what was written by now has settled."""
    return patch.object(indexer, "now_us", lambda: now_us() + by_us)


def settled() -> Any:
    """The indexer's clock, by which its second pass comes to all that was written by now."""
    return later(SETTLED_US + indexer.STEP_US + 1_000_000)


def index_everything() -> int:
    """As a process does that has just started; how many orders were new to it."""
    indexed = Indexer().run()
    search_index().refresh()
    return indexed


def empty_index() -> None:
    search_index().breaker.reset()
    while ids := search_index().find(IndexQuery(), limit=BATCH_MAX):
        search_index().remove(ids)
        search_index().refresh()


def found(q: str, person: User | None = None, **query: Any) -> list[int]:
    """What is found, the same at both doors."""
    ids = [int(each) for each in Api(person).ids(SEARCH, q=q, **query)]
    page = Door(person).data(GRAPHQL, {"query": q, "first": query.get("limit", 20)})["searchTweets"]
    assert [int(edge["node"]["id"]) for edge in page["edges"]] == ids
    return ids


def indexed() -> list[int]:
    """All that the index has, whoever may see it."""
    return search_index().find(IndexQuery(), limit=BATCH_MAX)
