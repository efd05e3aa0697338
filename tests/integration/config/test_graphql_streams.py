"""GraphQL subscriptions of the public timeline, and of one tweet."""

import pytest

from feed.live import listener as listener_module
from feed.live.threads import housekeeping
from storage.web.paging import encode_cursor
from tests.integration.config.graphql_sockets import EVENT, opened, run, token_of
from tests.integration.feed.sockets import delivered
from tests.integration.tweeting import post, viewer
from tests.people import new_person
from tweets.writing import liking
from tweets.writing.posting import delete_tweet

pytestmark = [
    pytest.mark.usefixtures("product"),
    pytest.mark.parametrize("store", ["embedded"], indirect=True),
]
PUBLIC = f"subscription ($after: String) {{ publicTimeline(after: $after) {{ {EVENT} }} }}"
ACTIVITY = f"subscription ($id: ID!, $after: String) {{ tweetActivity(id: $id, after: $after) {{ {EVENT} }} }}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are looked at ten times a second."""
    monkeypatch.setattr(listener_module, "LOOK_SECONDS", 0.1)


def test_the_public_timeline_is_told_to_whoever_follows_nobody() -> None:
    author, token = new_person(), token_of(new_person())

    async def scenario() -> None:
        socket = await opened(token)
        await socket.subscribed("1", PUBLIC)
        tweets = []
        for _ in range(2):
            tweets.append(await housekeeping(post, author))
            await delivered()
            assert (await socket.event())["tweet"]["id"] == str(tweets[-1])
        await socket.subscribe("2", PUBLIC, variables={"after": encode_cursor(tweets[0] - 1)})
        assert (await socket.until(tweets[1], "2"))[-2:] == tweets
        await housekeeping(lambda: delete_tweet(tweet_id=tweets[1], viewer=viewer(author)))
        await delivered()
        told = [await socket.message() for _ in range(2)]
        assert {each["id"] for each in told} == {"1", "2"}
        assert {each["payload"]["data"]["publicTimeline"]["deletedId"] for each in told} == {str(tweets[1])}
        await socket.close()

    run(scenario)


def test_a_tweet_s_counts_and_replies_are_told_and_behind_its_end_it_is_complete() -> None:
    author, reader = new_person(), new_person()
    token, tweet = token_of(reader), post(author)

    async def scenario() -> None:
        socket = await opened(token)
        await socket.subscribed("1", ACTIVITY, variables={"id": str(tweet)})
        await housekeeping(lambda: liking.like(tweet_id=tweet, viewer=viewer(reader)))
        assert await socket.event() == {"counts": {"id": str(tweet), "likes": 1}}
        reply = await housekeeping(lambda: post(reader, reply_to=tweet))
        await delivered()
        assert str(reply) in {(await socket.event()).get("tweet", {}).get("id") for _ in range(2)}
        await housekeeping(lambda: delete_tweet(tweet_id=tweet, viewer=viewer(author)))
        await delivered()
        assert await socket.event() == {"deletedId": str(tweet)}
        assert await socket.message() == {"type": "complete", "id": "1"}
        await socket.subscribe("1", ACTIVITY, variables={"id": str(tweet)})
        assert [code for code, _ in await socket.refused()] == ["not_found"], "the id is free again"
        await socket.subscribe("1", ACTIVITY, variables={"id": "x"})
        assert [code for code, _ in await socket.refused()] == ["malformed_id"]
        await socket.close()

    run(scenario)
