"""The place port: a reader's place never goes back."""

import pytest

from storage import stores
from storage.ports.places import Places
from tests.ids import new_id


@pytest.fixture
def places(store: str) -> Places:
    return stores.places()


def test_nobody_has_a_place_before_it_was_written(places: Places) -> None:
    assert places.place(f"reader-{new_id()}") == 0


def test_the_greatest_place_holds(places: Places) -> None:
    reader, other = f"reader-{new_id()}", f"reader-{new_id()}"
    earlier, later = new_id(), new_id()
    places.move(reader, later)
    places.move(other, earlier)
    for _ in range(2):
        places.move(reader, earlier)
        assert places.place(reader) == later
    assert places.place(other) == earlier


def test_of_one_microsecond_the_greater_holds(places: Places) -> None:
    reader, place = f"reader-{new_id()}", new_id() | 0xFFF
    places.move(reader, place)
    places.move(reader, place - 1)
    assert places.place(reader) == place
