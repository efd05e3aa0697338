"""`/healthz` touches nothing; `/readyz` says what is down and what that means."""

import pytest
from django.test import Client

from tests.backends import timeline_redis_down


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
    backends = ("redis_timelines", "redis_broker", "store", "database")
    assert client.get("/readyz").json() == {
        "status": "ok",
        "backends": dict.fromkeys(backends, "ok"),
        "breakers": dict.fromkeys(backends, "closed"),
        "degraded": {},
    }
