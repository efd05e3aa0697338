"""GraphQL subscriptions to the public timeline and to one tweet: what is told, resumed and refused, and their ends."""

import asyncio
import time
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from accounts.graph import blocks
from accounts.models import User
from accounts.people import suspending
from config.graphql import subscribers
from feed.live import listener as listener_module
from feed.live import quota as live_quota
from feed.live.registry import registry
from feed.live.streams import tweet as tweet_stream
from feed.live.streams.stream import PUBLIC, TWEET
from feed.live.threads import housekeeping
from feed.live.watching import watched
from storage.redis.rate_limits import Policy
from tests.integration.config.graphql_sockets import GraphQLSocket, opened, run, token_of
from tests.integration.feed.reading import operator
from tests.integration.feed.sockets import delivered
from tests.integration.querying import WHOLE_TWEET, Door
from tests.integration.tweeting import post, viewer
from tests.people import ApiClient, new_person
from tweets.reading.selectors import no_such_tweet, tweet_out
from tweets.writing import liking
from tweets.writing.posting import delete_tweet

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]

EVENT = "cursor deletedId gapAfter counts { id replies retweets quotes likes } tweet { id }"
TIMELINE = f"subscription Public($after: String) {{ publicTimeline(after: $after) {{ {EVENT} }} }}"
ACTIVITY = f"subscription Of($id: ID!, $after: String) {{ tweetActivity(id: $id, after: $after) {{ {EVENT} }} }}"
NOTHING = {"replies": 0, "retweets": 0, "quotes": 0, "likes": 0}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are looked at ten times a second, and blocks twice."""
    monkeypatch.setattr(listener_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(listener_module, "SIGHT_SECONDS", 0.5)


async def act(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Acts as people do, and then as workers do, while sockets are open."""
    result = await housekeeping(function, *args, **kwargs)
    await delivered()
    return result


async def signed_in(person: User) -> GraphQLSocket:
    return await opened(await housekeeping(token_of, person))


async def asked(person: User, query: str, **variables: Any) -> Any:
    """What HTTP answers."""
    return await housekeeping(lambda: Door(person).data(query, variables))


def read(path: str, reader: User) -> Any:
    """What REST answers."""
    return ApiClient(reader).get(f"/api/v1{path}").json()


async def follow(socket: GraphQLSocket, tweet: int, name: str = "1", query: str = ACTIVITY, **variables: Any) -> None:
    await socket.subscribed(name, query, variables={"id": str(tweet), **variables})


async def like(tweet: int, person: User) -> None:
    await housekeeping(liking.like, viewer=viewer(person), tweet_id=tweet)


def counts(tweet: int, **changed: int) -> dict[str, Any]:
    """The event that tells them."""
    return {"counts": {"id": str(tweet), **NOTHING, **changed}}


async def counts_until(socket: GraphQLSocket, tweet: int, **expected: int) -> int:
    """How many events tell counts, up to these."""
    for number in range(1, 100):
        if await socket.event() == counts(tweet, **expected):
            return number
    pytest.fail("other counts, again and again")


class TestPublicTimeline:
    def test_what_the_public_feed_shows_to_the_viewer_comes_and_leaves(self) -> None:
        author, hidden, reader = new_person(), new_person(), new_person()
        blocks.block(hidden.id, reader.id)
        query = f"subscription {{ publicTimeline {{ cursor deletedId tweet {{ {WHOLE_TWEET} }} }} }}"

        async def scenario() -> None:
            socket = await signed_in(reader)
            await socket.subscribed(query=query)
            await act(post, hidden)
            tweet = await act(post, author, "hello #everybody")
            told = await socket.event()
            over_http = await asked(reader, f"query ($id: ID!) {{ tweet(id: $id) {{ {WHOLE_TWEET} }} }}", id=str(tweet))
            assert told.keys() == {"cursor", "tweet"}
            assert told["tweet"] == over_http["tweet"]
            await act(delete_tweet, tweet_id=tweet, viewer=viewer(author))
            assert await socket.event() == {"deletedId": str(tweet)}
            await socket.say("complete", id="1")
            await socket.is_silent()
            assert registry.ids(PUBLIC.subject) == []
            await socket.close()

        run(scenario)

    def test_from_a_cursor_on_first_what_was_missed(self) -> None:
        author, reader = new_person(), new_person()

        async def scenario() -> None:
            socket = await signed_in(reader)
            await socket.subscribed(query=TIMELINE)
            first = await act(post, author)
            cursor = (await socket.event())["cursor"]
            await socket.close()
            missed = [await act(post, author) for _ in range(2)]
            page = f'{{ publicTimeline(last: 1, before: "{cursor}") {{ pageInfo {{ startCursor }} }} }}'
            shown = await asked(reader, page)
            for after in (cursor, shown["publicTimeline"]["pageInfo"]["startCursor"]):
                again = await signed_in(reader)
                await again.subscribe("1", TIMELINE, variables={"after": after})
                assert [each for each in await again.until(missed[-1]) if each != first] == missed
                missed.append(await act(post, author))
                assert set(await again.until(missed[-1])) <= {*missed}
                await again.close()

        run(scenario)


class TestTweetActivity:
    def test_counts_are_told_when_they_change_and_of_many_changes_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listener_module, "LOOK_SECONDS", 1.0)
        author, people = new_person(), [new_person() for _ in range(8)]
        tweet = post(author)

        async def scenario() -> None:
            socket = await signed_in(people[0])
            await follow(socket, tweet)
            began = time.monotonic()
            for person in people:
                await like(tweet, person)
            told = await counts_until(socket, tweet, likes=8)
            assert told <= 2 + time.monotonic() - began
            await socket.is_silent()
            await socket.close()

        run(scenario)

    def test_replies_come_as_http_shows_them_and_leave(self) -> None:
        author, answering = new_person(), new_person()
        tweet = post(author)
        whole = f"{WHOLE_TWEET} author {{ followersCount }}"

        async def scenario() -> None:
            socket = await signed_in(author)
            event = f"cursor deletedId tweet {{ {whole} }} counts {{ replies }}"
            await follow(socket, tweet, query=f"subscription ($id: ID!) {{ tweetActivity(id: $id) {{ {event} }} }}")
            reply = await act(post, answering, "an #answer", reply_to=tweet)
            told = [await socket.event() for _ in range(2)]
            [came] = [each for each in told if "tweet" in each]
            assert {"counts": {"replies": 1}} in told
            assert came.keys() == {"cursor", "tweet"}
            over_http = await asked(author, f"query ($id: ID!) {{ tweet(id: $id) {{ {whole} }} }}", id=str(reply))
            assert came["tweet"] == over_http["tweet"]
            await act(delete_tweet, tweet_id=reply, viewer=viewer(answering))
            told = [await socket.event() for _ in range(2)]
            assert {"deletedId": str(reply)} in told
            assert {"counts": {"replies": 0}} in told
            await socket.close()

        run(scenario)

    def test_who_resumes_has_the_replies_that_were_missed_and_the_counts(self) -> None:
        author = new_person()
        tweet = post(author)

        async def scenario() -> None:
            page = f'{{ tweet(id: "{tweet}") {{ replies {{ pageInfo {{ startCursor }} }} }} }}'
            await act(post, author, "known", reply_to=tweet)
            shown = await asked(author, page)
            missed = await act(post, author, "missed", reply_to=tweet)
            socket = await signed_in(author)
            cursor = shown["tweet"]["replies"]["pageInfo"]["startCursor"]
            await socket.subscribe("1", ACTIVITY, variables={"id": str(tweet), "after": cursor})
            assert (await socket.until(missed))[-1] == missed
            assert await socket.event() == counts(tweet, replies=2)
            await socket.close()

        run(scenario)

    def test_it_is_in_force_when_a_ping_behind_it_is_answered(self) -> None:
        author = new_person()
        tweet = post(author)

        def slowly(*given: Any) -> Any:
            time.sleep(0.3)
            return tweet_out(*given)

        async def scenario() -> None:
            socket = await signed_in(author)
            with patch.object(tweet_stream, "tweet_out", slowly):
                await follow(socket, tweet)
                await like(tweet, author)
                assert await asyncio.wait_for(socket.event(), 5) == counts(tweet, likes=1)
            await socket.close()

        run(scenario)


class TestTheEnd:
    @pytest.mark.parametrize("why", ["deleted", "suspended", "blocked"])
    def test_of_a_tweet_that_leaves_is_told_and_is_that_subscription_s_alone(self, why: str) -> None:
        author, other, reader = new_person(), new_person(), new_person()
        tweet, staying = post(author), post(other)

        async def scenario() -> None:
            socket = await signed_in(reader)
            await follow(socket, tweet, "leaving")
            await follow(socket, staying)
            if why == "deleted":
                await act(delete_tweet, tweet_id=tweet, viewer=viewer(author))
            elif why == "suspended":
                await act(suspending.suspend, author, by=await housekeeping(operator))
            else:
                await act(blocks.block, author.id, reader.id)
            assert await socket.event("leaving") == {"deletedId": str(tweet)}
            await socket.completed("leaving")
            assert (registry.ids(TWEET), list(watched.ids)) == ([staying], [staying])
            await socket.subscribe("leaving", ACTIVITY, variables={"id": str(tweet)})
            assert [code for code, _ in await socket.refused("leaving")] == ["not_found"]
            await like(staying, reader)
            assert await socket.event() == counts(staying, likes=1)
            await socket.is_silent()
            await socket.close()

        run(scenario)

    def test_one_that_goes_while_it_is_replayed_is_refused(self) -> None:
        author = new_person()
        tweet = post(author)

        async def scenario() -> None:
            socket = await signed_in(author)
            page = await asked(author, "{ homeTimeline { pageInfo { startCursor } } }")
            cursor = page["homeTimeline"]["pageInfo"]["startCursor"]
            with patch.object(tweet_stream, "replies_page", side_effect=no_such_tweet()):
                await socket.subscribe("1", ACTIVITY, variables={"id": str(tweet), "after": cursor})
                assert [code for code, _ in await socket.refused()] == ["not_found"]
            assert registry.ids(TWEET) == []
            await socket.close()

        run(scenario)


PAGE = "tweet { replies(first: 1) { edges { node { id } } } }"


class TestRefusals:
    def test_of_a_tweet_in_the_words_of_rest_and_nothing_else_is_affected(self) -> None:
        author, reader = new_person(), new_person()
        tweet, hidden = post(new_person()), post(author)
        blocks.block(author.id, reader.id)

        async def scenario() -> None:
            socket = await signed_in(reader)
            await follow(socket, tweet)
            for given in (str(hidden), "7", "07", "x", "", "9" * 30):
                await socket.subscribe("wrong", ACTIVITY, variables={"id": given})
                problem = await housekeeping(read, f"/tweets/{given or 'x'}", reader)
                assert await socket.refused("wrong") == [(problem["code"], problem["detail"])]
            await socket.subscribe("wrong", ACTIVITY, variables={"id": str(tweet), "after": "x"})
            assert [code for code, _ in await socket.refused("wrong")] == ["bad_cursor"]
            await like(tweet, reader)
            assert await socket.event() == counts(tweet, likes=1)
            await socket.is_silent()
            await socket.close()

        run(scenario)

    @pytest.mark.parametrize(
        ("payload", "code", "words"),
        [
            ({"query": "subscription { tweetActivity { cursor } }"}, "bad_query", "'id' of type 'ID!' is required"),
            ({"query": ACTIVITY, "variables": {}}, "bad_variables", "'$id' of required type 'ID!' was not provided"),
            (
                {"query": ACTIVITY.replace("$id: ID!", '$id: ID = "7"'), "variables": {"id": None}},
                "bad_variables",
                "'$id' must not be null",
            ),
            (
                {"query": f"subscription {{ tweetActivity(id: 7) {{ {' '.join(f'{n}: {PAGE}' for n in 'abc')} }} }}"},
                "too_complex",
                "An event could hold",
            ),
        ],
    )
    def test_of_what_cannot_be_asked_for(self, payload: dict[str, Any], code: str, words: str) -> None:
        reader = new_person()

        async def scenario() -> None:
            socket = await signed_in(reader)
            await socket.say("subscribe", id="1", payload=payload)
            [(found, said)] = await socket.refused()
            assert (found, words in said) == (code, True), said
            await socket.is_silent()
            await socket.close()

        run(scenario)

    def test_of_more_than_a_few_of_the_same_tweet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(subscribers, "OF_ONE_TOPIC", 1)
        author = new_person()
        tweets = [post(author) for _ in range(2)]

        async def scenario() -> None:
            socket = await signed_in(author)
            for tweet in tweets:
                await follow(socket, tweet, str(tweet))
            await socket.subscribe("1", ACTIVITY, variables={"id": str(tweets[0])})
            assert [code for code, _ in await socket.refused()] == ["too_many_subscriptions"]
            await socket.say("complete", id=str(tweets[0]))
            await follow(socket, tweets[0])
            await socket.close()

        run(scenario)

    def test_of_more_than_the_rate_limits_allow(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.RATE_LIMITS = True
        monkeypatch.setattr(live_quota, "SIGNED_IN", Policy("default", 3, 60))
        author = new_person()
        tweet = post(author)

        async def scenario() -> None:
            socket = await signed_in(author)
            await follow(socket, tweet)
            await follow(socket, tweet, "page", f"subscription ($id: ID!) {{ tweetActivity(id: $id) {{ {PAGE} }} }}")
            told: dict[str, list[Any]] = {"1": [], "page": []}
            for number in (1, 2):
                await act(post, author, reply_to=tweet)
                while len(told["1"]) < 2 * number or (number == 2 and told["page"][-1]["type"] == "next"):
                    message = await socket.message()
                    told[message["id"]].append(message)
            assert {each["type"] for each in told["1"]} == {"next"}, "counts, and the reply"
            *shown, refused = told["page"]
            assert [error["extensions"]["code"] for error in refused["payload"]] == ["rate_limited"]
            opened = [each for each in shown if each["payload"]["data"]["tweetActivity"]["tweet"]]
            assert len(opened) == 1, "with two that subscribe three requests"
            await socket.close()

        run(scenario)
