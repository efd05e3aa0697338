"""The plan of `make demo`, and its patience with a server."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx
import networkx
import pytest

from deploy.demo import api as api_module
from deploy.demo.__main__ import Options
from deploy.demo.api import Api, Failed
from deploy.demo.demo import Demo
from deploy.demo.people import Society, make_society
from deploy.demo.scene import ACCEPTED, ASKED, LEFT, MET, PROTECTED, cast_of
from deploy.demo.stream import Action, Kind, Stream
from deploy.errors import CannotStart
from deploy.supervisor.records import Records
from tweets.writing.text import checked_text


def society(count: int = 200, seed: int = 1, graph: Path | None = None) -> Society:
    return make_society(count=count, seed=seed, graph=graph)


def actions(tweets: int, seed: int = 1) -> list[Action]:
    return list(Stream(society(), seed=seed, tweets=tweets))


def test_the_same_seed_makes_the_same_demo_and_another_one_another() -> None:
    assert society() == society()
    assert actions(50) == actions(50)
    assert not {person.username for person in society().people} & {person.username for person in society(seed=2).people}
    assert [each.text for each in actions(50)] != [each.text for each in actions(50, seed=2)]


def test_a_longer_run_goes_on_where_a_shorter_one_ended() -> None:
    assert actions(80)[: len(actions(50))] == actions(50)


def test_names_are_unique_and_nobody_follows_themselves_or_twice() -> None:
    some = society(500)
    names = [person.username for person in some.people]
    assert len({name.lower() for name in names}) == 500
    assert max(map(len, names)) <= 30
    assert all(reader != author for reader, author in some.follows)
    assert len(set(some.follows)) == len(some.follows)


def test_a_few_are_followed_by_very_many() -> None:
    popularity = sorted(society(1000).popularity(), reverse=True)
    assert popularity[0] > 100
    assert popularity[500] < 15
    assert min(popularity) < 4


def test_the_stream_is_lively_and_every_target_comes_before_its_action() -> None:
    stream = actions(2_000)
    kinds = Counter(action.kind for action in stream)
    assert all(kinds[kind] > 50 for kind in Kind)
    assert sum(kinds[kind] for kind in (Kind.TWEET, Kind.REPLY, Kind.THREAD, Kind.QUOTE)) == 2_000
    writers = {action.number: action.person for action in stream if action.text}
    for action in stream:
        assert action.target is None or action.target < action.number
        assert action.target is None or action.target in writers
        if action.kind is Kind.THREAD and action.target is not None:
            assert writers[action.target] == action.person


def test_every_text_may_be_posted() -> None:
    for action in actions(3_000):
        if action.text:
            checked_text(action.text)


def test_an_edge_list_is_followed_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "edges.txt"
    path.write_text("# reader author\nada bob\nbob carla\ncarla bob\nada ada\n")
    follows = society(graph=path).follows
    assert len(society(graph=path).people) == 3
    assert networkx.DiGraph(follows).number_of_edges() == 3
    assert max(Counter(author for _, author in follows).values()) == 2
    assert len(society(2, graph=path).people) == 2


def test_an_edge_list_that_is_none_is_refused(tmp_path: Path) -> None:
    for content in ("", "lonely\n"):
        (tmp_path / "none.txt").write_text(content)
        with pytest.raises(CannotStart, match="GRAPH"):
            society(graph=tmp_path / "none.txt")
    with pytest.raises(CannotStart, match="GRAPH"):
        society(graph=tmp_path / "missing.txt")


@pytest.mark.parametrize("env", [{"PEOPLE": "many"}, {"PEOPLE": "1"}, {"TWEETS": "-1"}, {"SEED": "१"}])
def test_a_number_that_is_none_is_refused_by_name(env: dict[str, str]) -> None:
    with pytest.raises(CannotStart, match=f"{next(iter(env))}="):
        Options.read(env)


def test_defaults() -> None:
    assert Options.read({}) == Options(1_000, 3_000, 1, None, "http://127.0.0.1:8000")


@pytest.mark.parametrize("count", [2, 3, 12, 200])
def test_one_person_meets_others_and_some_ask_to_follow_who_is_protected(count: int) -> None:
    some = society(count)
    cast = cast_of(some)
    assert cast.friends
    assert not {cast.lead, *cast.shy} & set(cast.friends)
    assert all(ask.asked in {cast.lead, *cast.shy} and ask.asker != ask.asked for ask in cast.asks)
    assert not {(ask.asker, ask.asked) for ask in cast.asks} & set(some.follows)
    if count > 3:
        assert {ask.is_accepted for ask in cast.asks if ask.asked == cast.lead} == {True, False}
        assert {ask.is_accepted for ask in cast.asks if ask.asker == cast.lead} <= {True}


def test_who_leaves_is_none_of_whom_the_stream_is_about() -> None:
    some = society(30)
    assert [each.number for each in some.leavers] == [30, 31]
    assert not {each.username for each in some.leavers} & {each.username for each in some.people}
    assert max(action.person for action in Stream(some, seed=1, tweets=200)) < 30


class Server:
    """Answers each request with the next of `answers`, the last one for ever; remembers what was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.said: list[str] = []

    def api(self) -> Api:
        return Api("http://demo", connections=2, say=self.said.append, transport=httpx.MockTransport(self._answer))

    def call(self, *expected: int) -> httpx.Response:
        async def call() -> httpx.Response:
            api = self.api()
            try:
                return await api.call("POST", "/tweets", *expected, token="t", body={"text": "a"}, key="k-1")
            finally:
                await api.close()

        return asyncio.run(call())

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


def limited(seconds: int) -> httpx.Response:
    return httpx.Response(429, headers={"Retry-After": str(seconds)}, json={"detail": "Too many."})


def test_a_limit_is_waited_for_and_said_once(pauses: list[float]) -> None:
    server = Server(limited(3), limited(2), httpx.Response(201, json={}))
    assert server.call(201).status_code == 201
    assert pauses == [3, 2]
    assert len(server.said) == 1
    assert "RATE_LIMITS=off" in server.said[0]
    assert {request.headers["Idempotency-Key"] for request in server.asked} == {"k-1"}
    assert server.asked[0].headers["Authorization"] == "Bearer t"


def test_a_long_limit_ends_the_demo(pauses: list[float]) -> None:
    with pytest.raises(CannotStart, match="RATE_LIMITS=off"):
        Server(limited(3_600)).call(201)


def test_what_is_down_for_long_is_a_failure(pauses: list[float]) -> None:
    server = Server(httpx.Response(503, headers={"Retry-After": "2"}, json={"detail": "Store is down."}))
    with pytest.raises(Failed, match="503 Store is down"):
        server.call(201)
    assert len(server.asked) == api_module.TRIES


def test_a_refusal_is_not_tried_again(pauses: list[float]) -> None:
    server = Server(httpx.Response(422, json={"detail": "No.", "errors": {"text": ["Too long."]}}))
    with pytest.raises(Failed, match="Too long"):
        server.call(201)
    assert len(server.asked) == 1


class NoBar:
    def begin(self, title: str, total: int) -> None: ...
    def advance(self) -> None: ...


def run_demo(api: Api, people: int = 12, tweets: int = 20) -> Demo:
    async def run() -> Demo:
        demo = Demo(api, society(people), seed=1, tweets=tweets, bar=NoBar())
        try:
            await demo.run()
        finally:
            await api.close()
        return demo

    return asyncio.run(run())


@pytest.mark.parametrize(
    "told",
    [
        httpx.Response(200, headers={"RateLimit": '"default";r=299;t=60'}, json={"data": []}),
        httpx.Response(429, headers={"Retry-After": "30"}, json={"detail": "Too many."}),
    ],
)
def test_limits_are_said_before_anything_is_done(told: httpx.Response) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200) if request.url.path == "/readyz" else told

    with pytest.raises(CannotStart, match=r"RATE_LIMITS=off.*Nothing was done"):
        run_demo(Api("http://demo", connections=2, say=print, transport=httpx.MockTransport(answer)))
    assert asked == ["GET", "GET"]


def test_the_run_is_found_by_its_directory(tmp_path: Path) -> None:
    where = {"DATA_DIR": str(tmp_path)}
    assert Options.read({**where, "PORT": "8100"}).url == "http://127.0.0.1:8100", "no run is known"
    records = Records(tmp_path / "run.json")
    records.note_addresses({"SITE_URL": "http://127.0.0.1:8123", "STORE": "embedded"})
    assert Options.read(where).url == Options.read({**where, "PORT": "8100"}).url == "http://127.0.0.1:8123"
    assert Options.read({**where, "URL": "http://other"}).url == "http://other"
    records.clear()
    assert Options.read(where).url == "http://127.0.0.1:8000"


def test_a_server_that_is_not_there_is_said_so() -> None:
    with pytest.raises(CannotStart, match="No server answers at"):
        run_demo(Api("http://127.0.0.1:9", connections=2, say=print))


def test_what_hangs_on_a_failed_tweet_fails_and_nothing_waits_for_ever(pauses: list[float]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/readyz":
            return httpx.Response(200)
        if request.url.path == "/api/v1/tweets":
            return httpx.Response(500, json={"detail": "Broken."})
        return httpx.Response(201 if request.method == "POST" else 200, json={"data": {"token": "t"}})

    demo = run_demo(Api("http://demo", connections=2, say=print, transport=httpx.MockTransport(answer)))
    assert demo.tally.done[Kind.TWEET] == 0
    assert sum(demo.tally.failed[kind] for kind in (Kind.TWEET, Kind.REPLY, Kind.THREAD, Kind.QUOTE)) == 20
    assert demo.tally.failed[Kind.LIKE] > 0
    assert "POST /tweets: 500 Broken." in demo.tally.failures


def test_who_left_in_an_earlier_run_stays_away(pauses: list[float]) -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path.removeprefix("/api/v1")))
        if request.url.path.endswith("/auth/register"):
            return httpx.Response(422, json={"detail": "Taken.", "errors": {"username": ["Taken."]}})
        if request.url.path.endswith("/auth/token"):
            name = json.loads(request.content)["username"]
            return httpx.Response(401 if name in left else 200, json={"data": {"token": "t"}})
        status = 201 if (request.method, request.url.path) == ("POST", "/api/v1/tweets") else 200
        return httpx.Response(status, json={"data": {"id": "7"}})

    left = {each.username for each in society(12).leavers}
    demo = run_demo(Api("http://demo", connections=2, say=print, transport=httpx.MockTransport(answer)))
    assert demo.tally.failures == []
    assert demo.tally.done[LEFT] == len(left)
    assert ("DELETE", "/me") not in asked
    assert all(demo.tally.done[kind] for kind in (MET, PROTECTED, ASKED, ACCEPTED))
