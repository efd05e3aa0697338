"""An index in OpenSearch that is missing, another one, away, half there, or behind a password."""

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from deploy.opensearch.node import OpenSearchNode
from deploy.supervisor.ports import LOOPBACK, free_port
from storage.errors import Unavailable
from tests.ids import new_id
from tests.outages import server_down
from tests.proxies import Proxy
from tests.unit.storage.test_process import holds_in_child
from tweets.search import opensearch as opensearch_module
from tweets.search.opensearch import OpenSearchIndex
from tweets.search.opensearch_bodies import BULK_BYTES, MAPPING
from tweets.search.port import READ_SECONDS, WORD_MAX, WORDS_MAX, Document, Hurried, IndexQuery

pytestmark = pytest.mark.opensearch
SPARE_SECONDS = 0.5
CAT = IndexQuery(phrases=(("cat",),))
BLOCKED = {"error": {"type": "cluster_block_exception", "reason": "a text of somebody's"}, "status": 429}


@pytest.fixture
def name() -> str:
    return f"of-a-test-{new_id()}"


@pytest.fixture
def index(opensearch: OpenSearchNode, name: str) -> Iterator[OpenSearchIndex]:
    """One that nobody has made yet."""
    yield OpenSearchIndex(opensearch.url(name))
    asked(opensearch, "DELETE", f"/{name}*?ignore_unavailable=true")


def asked(node: OpenSearchNode, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
    """What the node says to who asks past the index."""
    connection = http.client.HTTPConnection(node.host, node.port, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")
    finally:
        connection.close()


def cat(of: int | None = None) -> Document:
    return Document(id=of or new_id(), author_id=7, words=("the", "cat"))


def test_an_index_is_made_at_its_first_use_and_anew_when_it_is_lost(
    opensearch: OpenSearchNode, index: OpenSearchIndex, name: str
) -> None:
    index.ping()
    assert index.find(CAT, limit=5) == []
    status, _ = asked(opensearch, "DELETE", f"/{name}-1")
    assert status == 200
    again = cat()
    index.put([again])
    index.refresh()
    assert index.find(CAT, limit=5) == [again.id]
    _, found = asked(opensearch, "GET", f"/{name}/_mapping")
    assert found == {f"{name}-1": {"mappings": MAPPING}}


def test_an_index_that_was_made_anew_is_another_one(
    opensearch: OpenSearchNode, index: OpenSearchIndex, name: str
) -> None:
    first = index.identity()
    index.put([cat()])
    assert index.identity() == OpenSearchIndex(opensearch.url(name)).identity() == first
    asked(opensearch, "DELETE", f"/{name}-1")
    index.put([cat()])
    assert index.identity() not in ("", first)


@pytest.mark.parametrize("use", ["find", "identity", "count", "newest", "refresh", "ping", "remove", "put"])
def test_a_lost_index_fails_nobody(opensearch: OpenSearchNode, index: OpenSearchIndex, name: str, use: str) -> None:
    index.ping()
    asked(opensearch, "DELETE", f"/{name}-1")
    uses = {
        "find": lambda: index.find(CAT, limit=5),
        "remove": lambda: index.remove([new_id()]),
        "put": lambda: index.put([cat()]),
    }
    uses.get(use, getattr(index, use))()
    index.ping()
    assert asked(opensearch, "HEAD", f"/{name}")[0] == 200


def test_many_make_one_index_together(opensearch: OpenSearchNode, name: str, index: OpenSearchIndex) -> None:
    failures: list[Exception] = []
    documents = [cat() for _ in range(6)]
    together = threading.Barrier(len(documents))

    def put(document: Document) -> None:
        own = OpenSearchIndex(opensearch.url(name))
        together.wait()
        try:
            own.put([document])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=put, args=(each,)) for each in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    index.refresh()
    assert index.find(CAT, limit=10) == sorted((each.id for each in documents), reverse=True)


@pytest.mark.parametrize("alias", [True, False])
def test_an_index_with_another_mapping_is_named_and_left_alone(
    opensearch: OpenSearchNode, index: OpenSearchIndex, name: str, alias: bool
) -> None:
    other = {"mappings": {"properties": {"id": {"type": "keyword"}}}}
    made = f"{name}-old" if alias else name
    asked(opensearch, "PUT", f"/{made}", other | ({"aliases": {name: {}}} if alias else {}))
    with capture_logs() as lines, pytest.raises(Unavailable):
        index.put([cat()])
    assert [(line["event"], line["found"], line["index"]) for line in lines] == [
        ("search_index_is_another", [made], f"{name}-1")
    ]
    assert asked(opensearch, "GET", f"/{made}/_count")[1]["count"] == 0
    with pytest.raises(Unavailable):
        index.find(CAT, limit=5)


def test_an_index_without_its_alias_is_no_other_one(
    opensearch: OpenSearchNode, index: OpenSearchIndex, name: str
) -> None:
    index.ping()
    asked(opensearch, "DELETE", f"/{name}-1/_alias/{name}")
    with capture_logs() as lines, pytest.raises(Unavailable):
        index.put([cat()])
    assert [line["event"] for line in lines] == ["search_index_is_missing"]


def _fails_within(seconds: float, call: Callable[[], object]) -> type[Unavailable]:
    began = time.monotonic()
    with pytest.raises(Unavailable) as failed:
        call()
    assert time.monotonic() - began < seconds + SPARE_SECONDS
    return failed.type


@pytest.mark.parametrize("how", ["hung", "dead"])
def test_while_the_node_is_away_calls_fail_in_time_and_then_go_on(
    opensearch: OpenSearchNode, index: OpenSearchIndex, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = cat()
    index.put([kept])
    with server_down(opensearch, how):
        _fails_within(READ_SECONDS, lambda: index.find(CAT, limit=5))
        monkeypatch.setattr(opensearch_module, "READ_SECONDS", 0.3)
        monkeypatch.setattr(opensearch_module, "WRITE_SECONDS", 0.4)
        for call in (index.newest, index.count, index.ping):
            _fails_within(0.3, call)
        for call in (
            index.refresh,
            lambda: index.put([cat()]),
            lambda: index.remove([1]),
        ):
            _fails_within(0.4, call)
    monkeypatch.undo()
    index.refresh()
    assert kept.id in index.find(CAT, limit=5), "what was put has outlived the node"


def test_of_several_nodes_one_that_is_dead_costs_nothing(opensearch: OpenSearchNode, index: OpenSearchIndex) -> None:
    index.ping()
    hosts = f"{LOOPBACK}:{free_port()},{opensearch.host}:{opensearch.port}"
    several = OpenSearchIndex(f"opensearch://{hosts}/{index._name}")
    for _ in range(6):
        assert several.find(CAT, limit=5) == []


def test_of_several_nodes_one_that_hangs_costs_a_search_and_is_then_left_alone(
    opensearch: OpenSearchNode, index: OpenSearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.ping()
    monkeypatch.setattr(opensearch_module, "READ_SECONDS", 0.5)
    with Proxy((opensearch.host, opensearch.port)) as proxy:
        hosts = f"{LOOPBACK}:{proxy.port},{opensearch.host}:{opensearch.port}"
        several = OpenSearchIndex(f"opensearch://{hosts}/{index._name}")
        answered = 0
        with proxy.hung():
            for _ in range(6):
                with suppress(Unavailable):
                    several.ping()
                    answered += 1
        assert answered == 5


def test_a_connection_that_is_cut_is_made_once_more(opensearch: OpenSearchNode, index: OpenSearchIndex) -> None:
    with Proxy((opensearch.host, opensearch.port)) as proxy:
        through = OpenSearchIndex(f"opensearch://{LOOPBACK}:{proxy.port}/{index._name}")
        through.ping()
        with proxy.dead(), pytest.raises(Unavailable):
            through.ping()
        through.ping()


def test_a_cluster_that_makes_indices_by_itself_is_not_let(
    opensearch: OpenSearchNode, index: OpenSearchIndex, name: str
) -> None:
    index.ping()
    asked(opensearch, "DELETE", f"/{name}-1")
    asked(opensearch, "PUT", "/_cluster/settings", {"transient": {"action.auto_create_index": "true"}})
    try:
        index.put([cat()])
    finally:
        asked(opensearch, "PUT", "/_cluster/settings", {"transient": {"action.auto_create_index": None}})
    assert asked(opensearch, "GET", f"/{name}/_mapping")[1] == {f"{name}-1": {"mappings": MAPPING}}


def test_a_query_is_never_parsed(index: OpenSearchIndex) -> None:
    kept = Document(id=new_id(), author_id=7, words=("cat", "*", "dog"), hashtags=("a",))
    index.put([kept])
    index.refresh()
    for text in (
        "c*",
        "*",
        "ca?",
        "cat~",
        "/ca./",
        "words:cat",
        "cat OR x",
        "_exists_:words",
        '"}}]',
        "{",
        "\\",
        "a^2",
    ):
        found = [] if text != "*" else [kept.id]
        assert index.find(IndexQuery(phrases=((text,),)), limit=5) == found
        assert index.find(IndexQuery(hashtags=(text,)), limit=5) == []
    assert index.find(IndexQuery(phrases=(("cat", "?"),)), limit=5) == []
    assert index.find(IndexQuery(phrases=(("cat", "*"),)), limit=5) == [kept.id]


def test_a_batch_of_the_largest_documents_goes_in_several_requests(index: OpenSearchIndex) -> None:
    words = ("𐍈" * WORD_MAX,) * WORDS_MAX
    documents = [Document(id=new_id(), author_id=7, words=words) for _ in range(70)]
    assert sum(len(word.encode()) for word in words) * len(documents) > 2 * BULK_BYTES
    index.put(documents)
    index.refresh()
    assert index.count() == len(documents)


def test_what_was_put_is_found_soon_by_itself(index: OpenSearchIndex) -> None:
    index.ping()
    kept = cat()
    index.put([kept])
    ends = time.monotonic() + 3 * READ_SECONDS
    while not index.find(CAT, limit=5) and time.monotonic() < ends:
        time.sleep(0.05)
    assert index.find(CAT, limit=5) == [kept.id]


def test_a_forked_child_has_connections_of_its_own(index: OpenSearchIndex) -> None:
    kept = cat()
    index.put([kept])
    index.refresh()

    def finds_by_its_own() -> bool:
        return index._client._open is None and index.find(CAT, limit=5) == [kept.id]

    with index._client._lock:
        assert holds_in_child(finds_by_its_own)
    assert index.find(CAT, limit=5) == [kept.id]


def test_a_read_that_is_given_less_time_takes_no_more_and_says_nothing_of_the_node(
    opensearch: OpenSearchNode, index: OpenSearchIndex
) -> None:
    index.ping()
    with server_down(opensearch, "hung"):
        assert _fails_within(0.4, lambda: index.find(CAT, limit=5, within=0.4)) is Hurried
        assert _fails_within(READ_SECONDS, lambda: index.find(CAT, limit=5)) is Unavailable


def test_the_library_tells_nobody_what_is_searched_for(
    index: OpenSearchIndex, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        index.put([Document(id=new_id(), author_id=7, words=("secret",))])
        index.find(IndexQuery(phrases=(("secret",),)), limit=5)
    assert "secret" not in caplog.text
