"""What tests of degraded modes do and look at."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from config.observability.metrics import state as metrics_state
from storage.breakers import Breaker, State
from tests.backends import Probes
from tests.people import PASSWORD, ApiClient

how_down = pytest.mark.parametrize("how", ["dead", "hung"])


def posted(client: ApiClient, text: str = "hello") -> int:
    answer = client.post("/api/v1/tweets", {"text": text}, "application/json")
    assert answer.status_code == 201, answer.content
    return int(answer.json()["data"]["id"])


def page(client: ApiClient) -> list[int]:
    answer = client.get("/api/v1/feed/home")
    assert answer.status_code == 200, answer.content
    return [int(tweet["id"]) for tweet in answer.json()["data"]]


def sign_in(person: User) -> Any:
    given = {"username": person.username, "password": PASSWORD}
    return Client().post("/api/v1/auth/token", given, "application/json")


def sign_up(name: str) -> Any:
    given = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    return Client().post("/api/v1/auth/register", given, "application/json")


def is_503(answer: Any) -> bool:
    return (
        answer.status_code == 503 and int(answer["Retry-After"]) >= 1 and "does not answer" in answer.json()["detail"]
    )


def is_told(name: str) -> None:
    """In /readyz and in /metrics, and by nobody's asking the backend."""
    told = Client().get("/readyz")
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    assert (told.json()["backends"][name], told.json()["breakers"][name]) == ("down", "open")
    assert told.json()["degraded"][name]
    metrics_state.forget()
    scraped = Client().get("/metrics").content.decode()
    assert f'breaker_open{{backend="{name}"}} 1.0' in scraped
    assert f'backend_up{{backend="{name}"}} 0.0' in scraped
    metrics_state.forget()


def closes(breaker: Breaker, probes: Probes) -> bool:
    """By itself, once it has probed a backend that answers."""

    def probed() -> bool:
        probes.let(1)
        return breaker.state is State.CLOSED

    return probes.until(probed)
