"""What the suites of the main job share: both engines, real Redis, nobody working by itself."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from accounts import cards
from fanout.dispatch import dispatcher


@pytest.fixture
def product(store: str, empty_outbox: None, redis_servers: None) -> Iterator[str]:
    """The product on one engine; orders stay open until the test works them off."""
    cards.forget_all()
    with patch.object(dispatcher, "send"):
        yield store
