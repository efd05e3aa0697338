"""A product whose index is a real OpenSearch node, which hangs or dies: search alone says 503, and the backlog catches
up. Of everything else, both engines are held to the same (tests/integration/feed/test_search.py)."""

import time
from collections.abc import Iterator

import pytest
from django.test import override_settings

from deploy.opensearch.node import OpenSearchNode
from storage.breakers import State
from storage.errors import Unavailable
from tests.backends import Probes
from tests.ids import new_id
from tests.integration.degrading import closes, how_down, is_503, is_told
from tests.integration.indexing import SEARCH, found, index_everything
from tests.integration.speaking import Api, on_one_store
from tests.integration.tweeting import post, viewer
from tests.outages import server_down
from tests.people import new_person
from tweets.search.guarded import FAILURES, forget_index, search_index
from tweets.search.indexer import Indexer
from tweets.search.port import READ_SECONDS
from tweets.writing.posting import delete_tweet

pytestmark = [pytest.mark.opensearch, pytest.mark.usefixtures("product")]
QUICK_SECONDS = 1.0
"""Of what does not wait for the index, on a busy machine: half of what one try of it takes."""


@pytest.fixture
def node(opensearch: OpenSearchNode) -> Iterator[OpenSearchNode]:
    """The node behind SEARCH_URL."""
    with override_settings(SEARCH_URL=opensearch.url(f"away-{new_id()}")):
        forget_index()
        yield opensearch
    forget_index()


def _state() -> State:
    return search_index().breaker.state


@on_one_store
@how_down
def test_search_alone_is_away_and_the_backlog_catches_up(node: OpenSearchNode, how: str, probes: Probes) -> None:
    ada, word = new_person(), f"word{new_id()}"
    goes, stays = post(ada, word), post(ada, word)
    index_everything()
    assert found(word) == [stays, goes]
    with server_down(node, how):
        for _ in range(FAILURES):
            began = time.monotonic()
            assert is_503(Api(ada).get(SEARCH, q=word))
            assert time.monotonic() - began < READ_SECONDS + QUICK_SECONDS
        assert _state() is State.OPEN
        is_told("search")
        began = time.monotonic()
        assert is_503(Api(ada).get(SEARCH, q=word))
        missed = post(ada, word)
        delete_tweet(tweet_id=goes, viewer=viewer(ada))
        assert str(missed) in Api(ada).ids("/feed/public")
        with pytest.raises(Unavailable):
            Indexer().run()
        assert time.monotonic() - began < QUICK_SECONDS
    assert closes(search_index().breaker, probes)
    index_everything()
    assert found(word) == [missed, stays]
