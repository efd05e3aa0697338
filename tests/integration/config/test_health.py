"""`/healthz` touches nothing; `/readyz` says what is down and what that means."""

from unittest.mock import patch

import pytest
from django.test import Client

from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.places import SEARCH, SEARCH_GAP, SEARCH_REBUILT
from storage.stores import places
from tests.backends import timeline_redis_down
from tweets.search.guarded import search_index


@pytest.mark.usefixtures("database", "redis_servers")
def test_healthz_touches_nothing_and_readyz_says_what_is_down(client: Client) -> None:
    with timeline_redis_down():
        assert client.get("/healthz").json() == {"status": "ok"}
        answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["backends"]["redis_timelines"]) == ("degraded", "down")
    assert "pulled from the store" in body["degraded"]["redis_timelines"]
    assert body["backends"]["redis_broker"] == "ok"


@pytest.mark.usefixtures("database", "redis_servers")
def test_readyz_when_everything_is_up(client: Client) -> None:
    backends = ("redis_timelines", "redis_broker", "store", "database", "search")
    assert client.get("/readyz").json() == {
        "status": "ok",
        "backends": dict.fromkeys(backends, "ok"),
        "breakers": dict.fromkeys(backends, "closed"),
        "degraded": {},
    }


@pytest.mark.usefixtures("database", "redis_servers")
def test_a_dead_index_and_one_that_is_behind_are_told(client: Client) -> None:
    with patch.object(search_index()._index, "ping", side_effect=Unavailable("search")):
        body = client.get("/readyz").json()
    assert body["backends"]["search"] == "down"
    assert list(body["degraded"]) == ["search"]
    places().move(SEARCH, make_id(now_us() - 200_000_000, 0))
    assert list(client.get("/readyz").json()["degraded"]) == ["search_index"]
    places().move(SEARCH, make_id(now_us(), 0))
    assert client.get("/readyz").json()["status"] == "ok"
    places().move(SEARCH_GAP, make_id(now_us(), 0))
    assert list(client.get("/readyz").json()["degraded"]) == ["search_index"]
    places().move(SEARCH_REBUILT, make_id(now_us() + 1, 0))
    assert client.get("/readyz").json()["status"] == "ok"
