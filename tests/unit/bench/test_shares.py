"""What the bench of GraphQL times from outside is named as a text, and no type checker looks at that."""

import pkgutil

import pytest

from bench.shares import PARTS


@pytest.mark.parametrize("place", [place for places in PARTS.values() for place in places])
def test_the_parts_that_are_timed_are_there(place: str) -> None:
    assert callable(pkgutil.resolve_name(place))
