"""How many sockets a process takes, of whom; and how many times within a while something may happen."""

import resource
import time

import pytest
from pytest_django.fixtures import Settings

from config.serving import connections
from feed.live.places import SOCKETS_A_READER, Full, Places, most_sockets
from feed.live.windows import Window

HERE, THERE = "203.0.113.7", "203.0.113.8"


@pytest.fixture(autouse=True)
def bounds(settings: Settings) -> Settings:
    settings.RATE_LIMITS = True
    settings.MAX_SOCKETS, settings.MAX_SOCKETS_BY_ADDRESS = 6, 4
    settings.MAX_UNSIGNED_SOCKETS, settings.MAX_UNSIGNED_BY_ADDRESS = 3, 2
    return settings


def test_before_signing_in_so_many_of_an_address_and_so_many_of_all() -> None:
    places = Places()
    places.come(HERE)
    places.come(HERE)
    assert places.full(HERE) is Full.ADDRESS
    assert places.full(THERE) is None
    places.come(THERE)
    assert places.full("another") is Full.PROCESS
    places.leave(THERE, None, had_token=False)
    assert places.full("another") is None
    places.come(THERE)
    places.token_came(THERE)
    assert places.full("another") is None


def test_signed_in_or_not_so_many_of_an_address() -> None:
    places = Places()
    for reader_id in range(4):
        assert places.full(HERE) is None
        places.come(HERE)
        places.token_came(HERE)
        assert places.sign_in(reader_id)
    assert places.full(HERE) is Full.ADDRESS
    assert places.full(THERE) is None
    places.leave(HERE, 2, had_token=True)
    assert places.full(HERE) is None


def test_so_many_of_all() -> None:
    places = Places()
    for number in range(6):
        places.come(f"address {number}")
        places.token_came(f"address {number}")
    assert places.full("another") is Full.PROCESS


def test_so_many_of_a_reader_wherever_they_come_from() -> None:
    places = Places()
    for number in range(SOCKETS_A_READER):
        places.come(f"address {number}")
        assert places.sign_in(1)
    places.come(HERE)
    assert not places.sign_in(1)
    places.leave(HERE, 1, had_token=False)
    places.leave("address 3", 1, had_token=False)
    assert places.sign_in(1)


def test_without_rate_limits_an_address_may_have_what_the_process_takes(bounds: Settings) -> None:
    bounds.RATE_LIMITS = False
    bounds.MAX_UNSIGNED_SOCKETS = 6
    places = Places()
    for _ in range(6):
        assert places.full(HERE) is None
        places.come(HERE)
    assert places.full(HERE) is Full.PROCESS


def test_nothing_is_kept_of_who_has_left() -> None:
    places = Places()
    for number in range(100):
        places.come(f"address {number}")
        places.token_came(f"address {number}")
        places.sign_in(number)
        places.leave(f"address {number}", number, had_token=True)
    assert not places._all._counts | places._unsigned._counts
    assert not places._readers._counts


def test_what_the_process_may_open_is_left_to_requests_and_backends_too(
    bounds: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds.MAX_SOCKETS = 10_000
    for files, most in ((1_024, 256), (4_096, 1_840), (100_000, 10_000), (300, 75), (resource.RLIM_INFINITY, 10_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, files=files: (files, files))
        assert most_sockets() == most
        assert files == resource.RLIM_INFINITY or most_sockets() + min(connections.MAX, files // 2) < files


def test_a_window_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    window = Window(quota=2, seconds=10.0)
    assert [window.allows() for _ in range(3)] == [True, True, False]
    now = 1_009.9
    assert not window.allows()
    now = 1_010.0
    assert [window.allows() for _ in range(3)] == [True, True, False]
