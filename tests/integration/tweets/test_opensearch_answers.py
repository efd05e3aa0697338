"""What the index makes of a cluster's answers, of which a real one gives some hardly ever."""

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from deploy.supervisor.ports import LOOPBACK
from storage.breakers import State
from storage.errors import Unavailable
from tests.backends import probes_by_hand
from tests.ids import new_id
from tests.integration.tweets.nodes import Answer, answering
from tweets.search import opensearch as opensearch_module
from tweets.search.guarded import FAILURES, GuardedIndex
from tweets.search.opensearch import OpenSearchIndex
from tweets.search.opensearch_bodies import MAPPING
from tweets.search.port import HANGS_SECONDS, Answered, Document, IndexQuery, Late

pytestmark = pytest.mark.opensearch
CAT = IndexQuery(phrases=(("cat",),))
BLOCKED = {"error": {"type": "cluster_block_exception", "reason": "a text of somebody's"}, "status": 429}


def cat(of: int | None = None) -> Document:
    return Document(id=of or new_id(), author_id=7, words=("the", "cat"))


@pytest.mark.parametrize("was_there", [True, False])
def test_who_searches_makes_no_index_and_finds_nothing_in_time(was_there: bool) -> None:
    """To make one may take longer than they may wait."""
    asked_for: list[str] = []

    def answer(method: str, path: str, _who: str) -> tuple[int, object]:
        asked_for.append(method)
        if was_there and "/_mapping" in path:
            return 200, {"x-1": {"mappings": MAPPING}}
        return 404, {"error": {"type": "index_not_found_exception"}}

    with answering(answer) as port:
        index = OpenSearchIndex(f"opensearch://{LOOPBACK}:{port}/x")
        assert (index.find(CAT, limit=5), index.newest(), index.count()) == ([], None, 0)
    assert "PUT" not in asked_for


def as_if_there(then: Answer) -> Answer:
    """The index is there, and everything else is answered by `then`."""

    def answer(method: str, path: str, who: str) -> tuple[int, object]:
        if "/_mapping" in path:
            return 200, {"x-1": {"mappings": MAPPING}}
        return then(method, path, who)

    return answer


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, {"timed_out": True, "_shards": {"total": 2, "failed": 0}, "hits": {"hits": [{"sort": [1]}]}}, Late),
        (200, {"timed_out": False, "_shards": {"total": 2, "failed": 1}, "hits": {"hits": [{"sort": [1]}]}}, Late),
        (429, BLOCKED, Late),
        (500, BLOCKED, Answered),
        (503, BLOCKED, Late),
        (400, BLOCKED, Answered),
        (502, BLOCKED, Unavailable),
    ],
)
def test_less_than_the_whole_answer_is_none(status: int, body: object, told: type[Unavailable]) -> None:
    """Of a cluster that answers; what a gateway says is that nothing behind it does."""
    with answering(as_if_there(lambda *_: (status, body))) as port:
        index = OpenSearchIndex(f"opensearch://{LOOPBACK}:{port}/x")
        with capture_logs() as lines, pytest.raises(Unavailable) as refused:
            index.find(CAT, limit=5)
    assert refused.type is told
    assert lines
    assert "somebody" not in str(lines)


@contextmanager
def searching_for_ever(ping: tuple[int, object] | None) -> Iterator[OpenSearchIndex]:
    """An index of a node that ends no search, and answers so who asks whether it is there; None: not at all."""
    ends = threading.Event()

    def answer(_method: str, path: str, _who: str) -> tuple[int, object]:
        if path == "/" and ping is not None:
            return ping
        ends.wait(60)
        return 500, {}

    with answering(as_if_there(answer)) as port, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opensearch_module, "READ_SECONDS", HANGS_SECONDS + 0.1)
        try:
            yield OpenSearchIndex(f"opensearch://{LOOPBACK}:{port}/x")
        finally:
            ends.set()


@pytest.mark.parametrize(
    ("ping", "told"),
    [((200, {}), Late), ((403, {}), Late), ((503, {}), Late), ((504, {}), Unavailable), (None, Unavailable)],
)
def test_a_query_that_nobody_interrupts_is_late_where_somebody_answers_a_ping(
    ping: tuple[int, object] | None, told: type[Unavailable]
) -> None:
    with searching_for_ever(ping) as index:
        began = time.monotonic()
        with pytest.raises(Unavailable) as refused:
            index.find(CAT, limit=5)
        assert refused.type is told
        assert time.monotonic() - began < HANGS_SECONDS + 0.5, "the ping's time is part of the query's"


@pytest.mark.parametrize(("ping", "state"), [((200, {}), State.CLOSED), (None, State.OPEN)])
def test_slow_queries_of_somebody_close_search_to_nobody(ping: tuple[int, object] | None, state: State) -> None:
    with searching_for_ever(ping) as index, probes_by_hand():
        guarded = GuardedIndex(index)
        for _ in range(FAILURES):
            with pytest.raises(Unavailable):
                guarded.find(CAT, limit=5)
        assert guarded.breaker.state is state
        guarded.breaker.reset()


@pytest.mark.parametrize("kind", ["rejected_execution_exception", "strict_dynamic_mapping_exception"])
def test_what_a_node_refuses_of_a_batch_is_not_taken_for_kept(kind: str) -> None:
    refusal = {"errors": True, "items": [{}, {"index": {"error": {"type": kind, "reason": "a text"}}}]}
    with answering(as_if_there(lambda *_: (200, refusal))) as port:
        index = OpenSearchIndex(f"opensearch://{LOOPBACK}:{port}/x")
        with capture_logs() as lines, pytest.raises(Late):
            index.put([cat(), cat()])
    assert [(line["event"], line["error"]) for line in lines] == [("search_refuses_writes", kind)]


def refusing(*kinds: str) -> object:
    """A node's answer to a batch, of which it took those whose kind of refusal is empty."""
    items = [
        {"_id": str(place), "status": 400, "error": {"type": kind}} if kind else {"_id": str(place), "status": 201}
        for place, kind in enumerate(kinds)
    ]
    return {"errors": True, "items": [{"index": each} for each in items]}


@pytest.mark.parametrize("kinds", [("", "mapper_parsing_exception"), ("illegal_argument_exception",)])
def test_a_document_that_is_at_fault_itself_is_named_and_left_out(kinds: tuple[str, ...]) -> None:
    with answering(as_if_there(lambda *_: (200, refusing(*kinds)))) as port:
        index = OpenSearchIndex(f"opensearch://{LOOPBACK}:{port}/x")
        with capture_logs() as lines:
            index.put([cat() for _ in kinds])
    assert [(line["event"], line["tweet_id"]) for line in lines] == [("search_refuses_a_document", str(len(kinds) - 1))]


def test_where_all_documents_are_refused_none_is_at_fault() -> None:
    kinds = ("mapper_parsing_exception",) * 2
    with answering(as_if_there(lambda *_: (200, refusing(*kinds)))) as port:
        index = OpenSearchIndex(f"opensearch://{LOOPBACK}:{port}/x")
        with pytest.raises(Unavailable):
            index.put([cat(), cat()])


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_password_is_said_and_not_quoted(status: int) -> None:
    with answering(lambda *_: (status, {"error": "Unauthorized"})) as port:
        index = OpenSearchIndex(f"opensearch://feed:hunter2@{LOOPBACK}:{port}/x")
        with capture_logs() as lines, pytest.raises(Unavailable) as refused:
            index.find(CAT, limit=5)
    assert [(line["event"], line["log_level"]) for line in lines] == [("search_refuses_us", "error")]
    assert "hunter2" not in f"{lines}{refused.value!r}{refused.value.__cause__!r}"


def test_over_tls_it_signs_in_to_who_has_proved_itself(tmp_path: Path) -> None:
    certificate, key = tmp_path / "node.crt", tmp_path / "node.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    heard: list[str] = []

    def answer(_method: str, _path: str, who: str) -> tuple[int, object]:
        heard.append(who)
        return 200, {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": [{"sort": [5]}]}}

    with answering(as_if_there(answer), tls) as port:
        place = f"feed:a%40b@localhost:{port}/x"
        assert OpenSearchIndex(f"opensearchs://{place}?ca={certificate}").find(CAT, limit=5) == [5]
        assert heard == ["Basic ZmVlZDphQGI="]
        with pytest.raises(Unavailable):
            OpenSearchIndex(f"opensearchs://{place}").find(CAT, limit=5)
    assert len(heard) == 1, "nothing is said to who has not proved itself"
