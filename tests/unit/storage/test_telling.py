"""Telling behind: in its order, of a web process alone, and all of it by the end."""

import os
import threading
from unittest.mock import patch

import pytest

from deploy.supervisor.processes import wait_until
from storage import exposition, telling
from storage.telling import Teller


def test_who_has_not_begun_tells_at_once() -> None:
    told: list[int] = []
    Teller().tell(told.append, 1)
    assert told == [1]


def test_a_web_process_tells_a_moment_later_in_the_order_in_which_it_was_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "TELL_SECONDS", 0.2)
    told: list[int] = []
    teller = Teller()
    teller.begin()
    for each in range(100):
        teller.tell(told.append, each)
    assert told == []
    assert wait_until(lambda: len(told) == 100, seconds=10.0)
    teller.tell(told.append, 100)
    assert wait_until(lambda: told == list(range(101)), seconds=10.0)


def test_who_reads_figures_or_ends_has_all_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "TELL_SECONDS", 60.0)
    told: list[int] = []
    teller = Teller()
    teller.begin()
    teller.tell(told.append, 1)
    teller.flush()
    assert told == [1]
    teller.tell(told.append, 2)
    teller.end()
    assert told == [1, 2]
    teller.tell(told.append, 3)
    assert told == [1, 2, 3], "a request that is answered while its process ends"


def test_a_scrape_reads_what_was_noted_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    teller = Teller()
    monkeypatch.setattr(telling, "TELL_SECONDS", 60.0)
    monkeypatch.setattr(exposition, "teller", teller)
    teller.begin()
    teller.tell(told.append, 1)
    exposition.registry()
    assert told == [1]


def test_one_that_cannot_be_told_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "TELL_SECONDS", 0.01)
    told: list[int] = []
    teller = Teller()
    teller.begin()
    teller.tell(lambda _: 1 / 0, 1)
    teller.tell(told.append, 2)
    assert wait_until(lambda: told == [2], seconds=10.0)
    teller.tell(told.append, 3)
    assert wait_until(lambda: told == [2, 3], seconds=10.0)


def test_no_more_is_noted_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "TELL_SECONDS", 60.0)
    monkeypatch.setattr(telling, "MOST", 10)
    told: list[int] = []
    teller = Teller()
    teller.begin()
    for each in range(25):
        teller.tell(told.append, each)
    assert told == list(range(22))


def test_without_a_thread_it_is_told_at_once() -> None:
    told: list[int] = []
    teller = Teller()
    with patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
        teller.begin()
    teller.tell(told.append, 1)
    assert told == [1]


def test_a_forked_child_tells_at_once_and_nothing_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "TELL_SECONDS", 60.0)
    told: list[int] = []
    teller = Teller()
    teller.begin()
    teller.tell(told.append, 1)
    child = os.fork()
    if child == 0:
        teller.tell(told.append, 2)
        os._exit(0 if told == [2] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
