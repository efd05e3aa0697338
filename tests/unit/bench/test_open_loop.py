"""The open-loop generator against a small real server on loopback."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from bench import open_loop
from bench.open_loop import Answered, Offered, Request, offer

ANSWER = b"HTTP/1.1 %d Whatever\r\nContent-Length: 5\r\n\r\nhello"


def get(kind: str = "home", *, status: int = 200) -> Request:
    return Request(kind, "GET", "/page", "a-token", status=status)


@dataclass
class Server:
    """Answers every request with `answer(number)`, which runs in its event loop: what blocks there blocks all."""

    answer: Callable[[int], bytes] = lambda number: ANSWER % 200
    takes: float = 0.0
    """Seconds that an answer takes, beside others."""
    seen: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [
                    int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")
                ]
                self.seen.append(head + await reader.readexactly(length[0] if length else 0))
                number = len(self.seen)
                await asyncio.sleep(self.takes)
                answer = self.answer(number)
                if not answer:
                    return
                writer.write(answer)
        except (EOFError, OSError, asyncio.CancelledError):
            return
        finally:
            writer.close()


@pytest.fixture
def server() -> Iterator[Server]:
    running, ready = Server(), threading.Event()
    thread = threading.Thread(target=running.run, args=(ready,))
    thread.start()
    ready.wait(5)
    yield running
    running.stop()
    thread.join(5)


def test_the_rate_is_kept_and_arrivals_are_scattered(server: Server) -> None:
    offered = offer(server.url, get, rate=300, seconds=1)
    assert len(offered.answers) == pytest.approx(300, rel=0.25)
    assert len(server.seen) == len(offered.answers)
    dues = [each.due for each in offered.answers]
    distances = [later - earlier for earlier, later in pairwise(dues)]
    assert dues == sorted(dues)
    assert dues[-1] < 1
    assert min(distances) < 0.2 / 300 < 3 / 300 < max(distances)


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others(server: Server) -> None:
    first, again, other = (offer(server.url, get, rate=50, seconds=0.3, seed=seed) for seed in (1, 1, 2))
    assert [each.due for each in first.answers] == [each.due for each in again.answers]
    assert [each.due for each in first.answers] != [each.due for each in other.answers]


def test_while_the_server_stalls_requests_go_on_becoming_due_and_wait_from_then(server: Server) -> None:
    def stall_once(number: int) -> bytes:
        if number == 20:
            time.sleep(0.5)
        return ANSWER % 200

    server.answer = stall_once
    offered = offer(server.url, get, rate=100, seconds=1)
    waited = sorted(each.seconds for each in offered.answers)
    assert offered.errors() == 0
    assert waited[-1] > 0.45
    assert sum(each > 0.25 for each in waited) > 10, "a closed loop would have seen one"


def test_requests_are_sent_while_others_wait_for_their_answers(server: Server) -> None:
    server.takes = 0.5
    offered = offer(server.url, get, rate=50, seconds=0.5)
    assert offered.errors() == 0
    assert server.connections > 10, "one after the other would need one connection"


def test_what_the_generator_itself_was_late_is_told_apart(server: Server) -> None:
    made: list[int] = []

    def make() -> Request:
        made.append(1)
        if len(made) == 10:
            time.sleep(0.3)
        return get()

    offered = offer(server.url, make, rate=100, seconds=0.6)
    late = [each for each in offered.answers if each.late > 0.1]
    assert len(late) > 5
    assert offered.late_ms(99) > 200
    assert all(each.seconds >= each.late for each in offered.answers)


def test_another_status_than_expected_is_an_error(server: Server) -> None:
    server.answer = lambda number: ANSWER % (503 if number % 2 else 201)
    offered = offer(server.url, lambda: get(status=201), rate=100, seconds=0.5)
    assert offered.errors() == pytest.approx(len(offered.answers) / 2, abs=1)


def test_a_connection_that_ends_is_an_error_and_another_one_is_opened(server: Server) -> None:
    server.answer = lambda number: b"" if number == 5 else ANSWER % 200
    offered = offer(server.url, get, rate=100, seconds=0.5)
    assert offered.errors() == 1
    assert len(server.seen) == len(offered.answers)


def test_who_is_not_answered_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_loop, "GIVE_UP_SECONDS", 0.2)
    server.answer = lambda number: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    offered = offer(server.url, get, rate=50, seconds=0.3)
    assert offered.errors() == len(offered.answers) > 0
    assert all(0.15 < each.seconds < 8 for each in offered.answers)


def test_nobody_there_is_an_error_of_every_request() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        offered = offer(f"http://127.0.0.1:{held.getsockname()[1]}", get, rate=50, seconds=0.3)
    assert offered.errors() == len(offered.answers) > 0


def test_connections_are_kept_and_bodies_and_tokens_are_sent(server: Server) -> None:
    post = Request("post", "POST", "/tweets", "a-token", b'{"text": "Hello"}')
    offer(server.url, lambda: post, rate=50, seconds=0.5)
    assert server.connections < len(server.seen) / 2
    head, _, body = server.seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /tweets HTTP/1.1\r\n")
    assert b"Authorization: Bearer a-token" in head
    assert body == b'{"text": "Hello"}'


def test_percentiles_are_of_one_kind_or_of_all_and_the_rate_counts_to_the_last_answer() -> None:
    answers = [Answered("home", 0.0, 0.1, True), Answered("post", 1.0, 1.0, True)]
    offered = Offered(2, answers)
    assert offered.ms(50, "home") == pytest.approx(100)
    assert offered.ms(99) == pytest.approx(1_000)
    assert offered.per_second() == pytest.approx(1)
