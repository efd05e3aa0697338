"""What the suites of the main job share: both engines, real Redis, nobody working by itself."""

from collections.abc import Iterator
from contextlib import ExitStack
from unittest.mock import patch

import pytest

from accounts.account_cache import accounts
from fanout.orders.dispatch import dispatcher
from tests.backends import Probes, probes_by_hand

LASTING_SECONDS = 15
"""Accounts, which are kept in memory for 4 s, would end between two steps of a test on a busy machine, and
then one more round trip is counted. Less than the log of changes lasts (accounts/account_cache/accounts.py)."""


@pytest.fixture
def product(store: str, empty_outbox: None, redis_servers: None) -> Iterator[str]:
    """The product on one engine; orders stay open until the test works them off."""
    accounts.forget_all()
    with patch.object(dispatcher, "send"), ExitStack() as lives:
        with patch.object(accounts, "LOCAL_SECONDS", LASTING_SECONDS):
            lives.enter_context(patch.object(accounts, "_memory", accounts._Memory()))
        yield store


@pytest.fixture
def probes() -> Iterator[Probes]:
    with probes_by_hand() as by_hand:
        yield by_hand
