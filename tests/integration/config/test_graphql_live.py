"""GraphQL subscriptions: what is told, resumed, refused, and what ends one of them."""

import hashlib
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import follows
from config.graphql import subscribers
from feed.live import quota as live_quota
from feed.live.queues import QUEUE_SIZE
from feed.live.registry import registry
from feed.live.streams import home
from feed.live.streams.stream import HOME, SignalKind
from feed.live.threads import housekeeping
from feed.timelines.home import home_page
from storage.errors import Unavailable
from storage.redis.rate_limits import Policy
from storage.web.paging import PageRequest, decode_cursor, encode_cursor
from tests.integration.config.graphql_sockets import SUBSCRIBE, opened, run, token_of
from tests.integration.feed.sockets import delivered
from tests.integration.querying import WHOLE_TWEET, Door
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.reading import many
from tweets.reading.hydration import hydrate
from tweets.writing.posting import delete_tweet

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]


class People:
    """A reader with a timeline, and somebody whom they follow."""

    def __init__(self) -> None:
        self.author, self.reader = new_person(), new_person()
        follows.follow(self.reader.id, self.author.id)
        home_page(viewer(self.reader), PageRequest())
        self.token = token_of(self.reader)

    async def post(self, text: str = "hello", **target: Any) -> int:
        """Posts; the followers are told."""
        tweet = await housekeeping(post, self.author, text, **target)
        await delivered()
        return tweet

    async def delete(self, tweet: int) -> None:
        await housekeeping(lambda: delete_tweet(tweet_id=tweet, viewer=viewer(self.author)))
        await delivered()


@pytest.fixture
def people() -> People:
    return People()


class TestEvents:
    def test_a_tweet_is_what_it_is_over_http_and_its_deletion_is_told(self, people: People) -> None:
        selection = f"{WHOLE_TWEET} replies(first: 2) {{ edges {{ node {{ id }} }} }}"
        selection += " author { followersCount relationship { following } }"

        async def scenario() -> None:
            socket = await opened(people.token)
            event = f"subscription {{ homeTimeline {{ cursor deletedId tweet {{ {selection} }} }} }}"
            await socket.subscribed("a name", event)
            with patch.object(home, "hydrate", wraps=hydrate) as hydrated:
                tweet = await people.post("hello #live @nobody https://example.org/")
                told = await socket.event("a name")
            assert hydrated.call_count == 1
            assert told.keys() == {"cursor", "tweet"}
            asked = f"query ($id: ID!) {{ tweet(id: $id) {{ {selection} }} }}"
            over_http = await housekeeping(Door(token=people.token).data, asked, {"id": str(tweet)})
            assert told["tweet"] == over_http["tweet"]
            assert told["tweet"]["author"]["followersCount"] == 1
            await people.delete(tweet)
            assert await socket.event("a name") == {"deletedId": str(tweet)}
            await socket.close()

        run(scenario)

    def test_from_a_cursor_on_first_what_was_missed(self, people: People) -> None:
        async def scenario() -> None:
            before, missed, more = [await people.post() for _ in range(3)]
            socket = await opened(people.token)
            await socket.subscribe(variables={"after": encode_cursor(before)})
            assert await socket.until(more) in ([before, missed, more], [missed, more])
            page = await housekeeping(Door(token=people.token).home, first=1)
            resumed = await opened(people.token)
            await resumed.subscribe("2", variables={"after": page["pageInfo"]["startCursor"]})
            new = await people.post()
            assert (await resumed.until(new, "2"))[-2:] == [more, new]
            assert await socket.until(new) == [new]
            for each in (socket, resumed):
                await each.close()

        run(scenario)

    def test_who_has_fallen_behind_is_told_where_to_page_from(self, people: People) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed()
            first = await people.post()
            cursor = (await socket.event())["cursor"]
            for _ in range(QUEUE_SIZE + 1):
                registry.signal(HOME, [people.reader.id], SignalKind.TWEET, first)
            while (event := await socket.event()).get("tweet"):
                cursor = event["cursor"]  # it came again: whoever subscribes early resyncs once
            assert event.keys() == {"gapAfter"}
            assert decode_cursor(event["gapAfter"]) >= decode_cursor(cursor)
            await socket.close()

        run(scenario)

    def test_whoever_may_have_missed_something_is_told_by_itself(self, people: People) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed()
            tweet = await housekeeping(post, people.reader)
            registry.resync_all()
            assert (await socket.event())["tweet"]["id"] == str(tweet)
            await socket.close()

        run(scenario)


class TestSeveral:
    def test_each_is_told_under_its_own_id_until_it_is_complete(self, people: People) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            for name in ("a", "b"):
                await socket.subscribed(name)
            tweet = await people.post()
            told = [await socket.message() for _ in range(2)]
            assert {each["id"] for each in told} == {"a", "b"}
            assert {each["payload"]["data"]["homeTimeline"]["tweet"]["id"] for each in told} == {str(tweet)}
            await socket.say("complete", id="a")
            await socket.say("complete", id="never begun")
            await socket.is_silent()
            await people.post()
            await socket.event("b")
            await socket.subscribed("a")
            await socket.say("complete", id="b")
            await socket.is_silent()
            await people.post()
            await socket.event("a")
            await socket.is_silent()
            await socket.close()
            assert people.reader.id not in registry.ids(HOME)

        run(scenario)

    def test_one_too_many_is_refused_and_the_others_go_on(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subscribers, "OF_ONE_TOPIC", 2)

        async def scenario() -> None:
            socket = await opened(people.token)
            for name in ("1", "2"):
                await socket.subscribed(name)
            await socket.subscribe("3")
            [(code, words)] = await socket.refused("3")
            assert (code, words) == (
                "too_many_subscriptions",
                "A socket has 2 subscriptions of the same at most: complete another one first.",
            )
            monkeypatch.setattr(subscribers, "SUBSCRIPTIONS_A_SOCKET", 2)
            await socket.subscribe("3")
            [(code, words)] = await socket.refused("3")
            assert words.startswith("A socket has 2 subscriptions at most")
            await people.post()
            assert {(await socket.message())["id"] for _ in range(2)} == {"1", "2"}
            await socket.close()

        run(scenario)

    def test_their_documents_together_are_as_long_as_one_may_be_each_counted_once(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subscribers, "TOKENS_A_SOCKET", 40)

        async def scenario() -> None:
            socket = await opened(people.token)
            for name in ("1", "2"):
                await socket.subscribed(name)
            await socket.subscribe("3", SUBSCRIBE.replace("Home", "Other"))
            [(code, _)] = await socket.refused("3")
            assert code == "too_many_subscriptions"
            await socket.close()

        run(scenario)


NAMED = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(SUBSCRIBE.encode()).hexdigest()}}
UNKNOWN = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
PAGES = " ".join(f"{name}: replies {{ edges {{ cursor }} }}" for name in "abc")
PAGE = "replies(first: 1) { edges { node { id } } }"


class TestRefusals:
    def test_what_nobody_foresaw_is_an_error_of_that_id_and_logged_and_the_others_go_on(
        self, people: People, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed("1")
            with patch.object(subscribers, "prepared", side_effect=RuntimeError("a secret")):
                await socket.subscribe("2")
                assert await socket.refused("2") == [("server_error", "Something went wrong on our side.")]
            tweet = await people.post()
            assert await socket.until(tweet, "1") == [tweet]
            await socket.close()

        run(scenario)
        assert "graphql_subscribe_failed" in caplog.text

    @pytest.mark.parametrize(
        ("payload", "code", "words"),
        [
            ({}, "bad_query", "query must be a GraphQL document."),
            ({"query": "subscription {"}, "bad_query", "Syntax Error"),
            ({"query": "subscription { weather { id } }"}, "bad_query", "Cannot query field 'weather'"),
            ({"query": "subscription { homeTimeline }"}, "bad_query", "must have a selection"),
            ({"query": "subscription { __typename }"}, "bad_query", "must not select an introspection"),
            (
                {"query": "subscription { a: homeTimeline { cursor } b: homeTimeline { cursor } }"},
                "bad_query",
                "must select only one top level field",
            ),
            (
                {"query": "subscription { homeTimeline @skip(if: true) { cursor } }"},
                "bad_query",
                "Nothing is selected.",
            ),
            ({"query": "{ me { id } }"}, "bad_operation", "POST them to /graphql"),
            ({"query": 'mutation { like(input: {tweetId: "1"}) { ok } }'}, "bad_query", "Cannot query field 'ok'"),
            ({"query": SUBSCRIBE, "operationName": "Other"}, "bad_operation", "no operation named 'Other'"),
            ({"query": SUBSCRIBE, "variables": {"after": 1}}, "bad_variables", "$after"),
            ({"query": SUBSCRIBE, "variables": []}, "bad_variables", "must be an object"),
            ({"query": SUBSCRIBE, "variables": {"after": "x" * 3_000}}, "bad_variables", "2048 bytes"),
            ({"query": SUBSCRIBE, "variables": {"after": "x"}}, "bad_cursor", "cursor"),
            (
                {"query": f"subscription {{ homeTimeline {{ tweet {{ {PAGES} }} }} }}"},
                "too_complex",
                "An event could hold",
            ),
            ({"query": SUBSCRIBE + " " * 21_000 + "#"}, "too_complex", "characters"),
            ({"extensions": UNKNOWN}, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"),
        ],
    )
    def test_what_cannot_be_is_an_error_of_that_id_and_no_more(
        self, people: People, payload: dict[str, Any], code: str, words: str
    ) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed("before")
            await socket.say("subscribe", id="wrong", payload=payload)
            refused = await socket.refused("wrong")
            assert {each for each, _ in refused} == {code}
            assert words in refused[0][1], refused
            await people.post()
            await socket.event("before")
            await socket.is_silent()
            await socket.close()

        run(scenario)

    def test_only_listed_documents_where_there_is_a_list_of_them(self, people: People, settings: Settings) -> None:
        settings.GRAPHQL_DOCUMENTS_ONLY = True

        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribe()
            assert [code for code, _ in await socket.refused()] == ["not_listed"]
            await socket.close()

        run(scenario)

    def test_a_document_that_came_with_its_hash_is_known_by_that(self, people: People) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed("1", extensions=NAMED)
            await socket.say("subscribe", id="2", payload={"extensions": NAMED})
            await socket.is_silent()
            await people.post()
            assert {(await socket.message())["id"] for _ in range(2)} == {"1", "2"}
            await socket.close()

        run(scenario)

    def test_a_number_that_cannot_be_read_is_named(self, people: People) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            payload = f'{{"query": "{SUBSCRIBE}", "variables": {{"after": 1e999}}}}'
            await socket.say_text(f'{{"type": "subscribe", "id": "1", "payload": {payload}}}')
            assert await socket.refused() == [("bad_variables", "The variable '$after' holds a number out of range.")]
            await socket.close()

        run(scenario)

    def test_each_subscribe_is_a_request_and_so_is_each_event_that_opens_a_page(
        self, people: People, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.RATE_LIMITS = True
        monkeypatch.setattr(live_quota, "SIGNED_IN", Policy("default", 4, 60))

        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed("plain")
            await socket.subscribed("page", f"subscription {{ homeTimeline {{ tweet {{ {PAGE} }} }} }}")
            for _ in range(2):
                await people.post()
                assert {(await socket.message())["type"] for _ in range(2)} == {"next"}
            await people.post()
            told = sorted([await socket.message() for _ in range(2)], key=lambda each: each["type"])
            assert [(each["type"], each["id"]) for each in told] == [("error", "page"), ("next", "plain")]
            [error] = told[0]["payload"]
            assert error["extensions"]["code"] == "rate_limited"
            assert 0 < error["extensions"]["retryAfter"] <= 60
            await socket.subscribe("page")
            assert [code for code, _ in await socket.refused("page")] == ["rate_limited"]
            await people.post()
            await socket.event("plain")
            await socket.close()

        run(scenario)

    def test_what_is_replayed_counts_as_it_would_over_http(
        self, people: People, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.RATE_LIMITS = True
        monkeypatch.setattr(live_quota, "SIGNED_IN", Policy("default", 3, 60))
        monkeypatch.setattr(subscribers, "ORDINARY_PAGE", 3 * 12)

        async def scenario() -> None:
            tweets = [await people.post() for _ in range(9)]
            socket = await opened(people.token)
            await socket.subscribe(variables={"after": encode_cursor(tweets[0] - 1)})
            assert await socket.until(tweets[7]) == tweets[:8], "twelve values each: three are a request, as it asks"
            assert [code for code, _ in await socket.refused()] == ["rate_limited"]
            await socket.close()

        run(scenario)


class TestFailures:
    def test_a_backend_that_is_down_ends_what_has_not_begun_and_nothing_else(self, people: People) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed("standing")
            with patch.object(home, "warm", side_effect=Unavailable("store")):
                await socket.subscribe("new")
                [(code, words)] = await socket.refused("new")
            assert (code, "store does not answer" in words) == ("unavailable", True)
            with patch.object(home, "hydrate", side_effect=Unavailable("store")):
                tweet = await people.post()
                await socket.is_silent()
            assert (await socket.event("standing"))["tweet"]["id"] == str(tweet), "caught up by itself"
            await socket.close()

        run(scenario)

    def test_what_nobody_foresaw_is_masked(self, people: People, caplog: pytest.LogCaptureFixture) -> None:
        async def scenario() -> None:
            socket = await opened(people.token)
            await socket.subscribed("1", f"subscription {{ homeTimeline {{ tweet {{ id {PAGE} }} }} }}")
            with patch.object(many, "replies_pages", side_effect=RuntimeError("secret")):
                tweet = await people.post()
                message = await socket.message()
            [error] = message["payload"]["errors"]
            assert (error["message"], error["extensions"]["code"]) == (
                "Something went wrong on our side.",
                "server_error",
            )
            assert (message["payload"]["data"], error["path"]) == (
                {"homeTimeline": {"tweet": None}},
                ["homeTimeline", "tweet", "replies"],
            )
            with patch.object(subscribers, "answered", side_effect=RuntimeError("secret")):
                await people.post()
                assert await socket.refused() == [("server_error", "Something went wrong on our side.")]
            await socket.subscribed()
            assert (await people.post()) > tweet
            await socket.event()
            await socket.close()

        run(scenario)
