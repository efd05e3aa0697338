"""Muting and unmuting at once, on the database that lets two write at the same moment: the second waits."""

import threading
from collections.abc import Callable
from unittest.mock import patch

import pytest

from accounts.models import User
from feed.models import MutedWord
from feed.notifications import muted_words
from feed.notifications.muted_words import mute_word, unmute_word
from storage.errors import Refused
from tests.integration.accounts.conftest import people_database, postgres
from tests.integration.tweeting import viewer
from tests.people import new_person
from tests.threads import run_together

__all__ = ["people_database", "postgres"]

pytestmark = [
    pytest.mark.usefixtures("people_database", "redis_servers"),
    pytest.mark.parametrize("people_database", ["postgresql"], indirect=True),
]
WAITS_SECONDS = 1.0
"""For who is held up by a lock."""


def in_the_middle_of(first: Callable[[], object], other: Callable[[], object]) -> None:
    """Does `other` while `first` is about to write the version, which it has decided on; or behind it, if it must."""
    reached, done = threading.Event(), threading.Event()
    writes = muted_words._write_version
    held: list[int] = []

    def slowly(person_id: int, version: int) -> None:
        if not held:
            held.append(threading.get_ident())
            reached.set()
            done.wait(WAITS_SECONDS)
        writes(person_id, version)

    def late() -> None:
        assert reached.wait(60)
        other()
        done.set()

    with patch.object(muted_words, "_write_version", slowly):
        run_together([first, late])


def kept(person: User) -> list[str]:
    return sorted(MutedWord.objects.filter(person=person).values_list("word", flat=True))


def test_a_word_that_is_muted_while_the_last_one_goes_is_looked_for() -> None:
    ada = new_person()
    mute_word(viewer(ada), "old")
    in_the_middle_of(lambda: unmute_word(viewer(ada), "old"), lambda: mute_word(viewer(ada), "new"))
    assert kept(ada) == ["new"]
    row = User.objects.get(pk=ada.pk)
    assert row.muted_words_version > 0
    assert muted_words.muted_words(ada.pk, row.account).phrases == (" new ",)


def test_the_bound_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muted_words, "MOST_MUTED", 2)
    ada = new_person()
    mute_word(viewer(ada), "one")

    def is_refused() -> None:
        with pytest.raises(Refused):
            mute_word(viewer(ada), "three")

    in_the_middle_of(lambda: mute_word(viewer(ada), "two"), is_refused)
    assert kept(ada) == ["one", "two"]


def test_the_same_word_twice_is_one() -> None:
    ada = new_person()
    in_the_middle_of(lambda: mute_word(viewer(ada), "Same"), lambda: mute_word(viewer(ada), "same"))
    assert kept(ada) == ["same"]
