"""What the tests of the Cassandra session share."""

from collections.abc import Iterator

import pytest

from storage.cassandra import session


@pytest.fixture
def no_session() -> Iterator[None]:
    """A process that has nothing open, before and after."""
    session.close()
    yield
    session.close()
