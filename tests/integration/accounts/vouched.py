"""What tests of vouching begin with, look at and change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.account_cache import accounts, vouching
from accounts.models import User
from accounts.sessions import tokens
from accounts.sql import breaker
from storage.breakers import State
from storage.errors import NotSignedIn, Unavailable
from storage.redis.lasting_cache import vouch_key
from storage.redis.node import timeline_node
from storage.redis.shards import shard_tag
from tests.people import new_person


@pytest.fixture(autouse=True)
def a_fresh_process() -> None:
    accounts.forget_all()


@pytest.fixture
def person() -> User:
    return new_person("ada")


@pytest.fixture
def raw(person: User) -> str:
    raw = tokens.issue(person)
    tokens.authenticate(raw)
    return raw


def sql() -> CaptureQueriesContext:
    return CaptureQueriesContext(connection)


def age(key: str, seconds: int) -> None:
    """The entry is older by so much."""
    node = timeline_node()
    [left] = node.round_trip(("PTTL", key))
    node.round_trip(("PEXPIRE", key, left - seconds * 1000))


def vouches() -> set[bytes | None]:
    """What is vouched, of all shards."""
    [found] = timeline_node().round_trip(("MGET", *[vouch_key(shard) for shard in range(settings.TIMELINE_SHARDS)]))
    return set(found)


def look_again() -> bool:
    """As if a second had gone by since the last look."""
    keys = [f"{shard_tag(shard)}:looking" for shard in range(settings.TIMELINE_SHARDS)]
    timeline_node().round_trip(("DEL", *keys))
    return vouching.look()


@contextmanager
def sql_away() -> Iterator[list[str]]:
    """Inside, SQL answers nobody; what it was asked."""
    asked: list[str] = []

    def refuse(_: Any, sql: str, *__: Any) -> None:
        asked.append(sql)
        raise OperationalError("gone")

    away = patch.object(vouching, "impatient_connection", side_effect=Unavailable("database"))
    with connection.execute_wrapper(refuse), away:
        yield asked


@contextmanager
def sql_known_away() -> Iterator[list[str]]:
    """Does as `sql_away`, and this process's breaker is open."""
    with sql_away() as asked, patch.object(breaker, "_state", State.OPEN):
        yield asked


def is_refused(raw: str) -> bool:
    """Whether the token is bad; raises what is raised of it for other reasons."""
    try:
        tokens.authenticate(raw)
    except NotSignedIn:
        return True
    return False
