"""Who has which slots of a cluster is what one node says, whichever answers; what was known counts when none does."""

import os

import pytest
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import MovedError

from deploy.supervisor.processes import wait_until
from storage.redis import topology
from storage.redis.topology import Owners, Topology

SLOTS = 16_384
ONE, TWO, THREE = (f"redis://{name}:6379/0" for name in ("one", "two", "three"))


class Told(Topology):
    """A cluster whose nodes say what they are told to; one of whom nothing is known is down."""

    def __init__(self, **says: Owners | Exception) -> None:
        self.says = {f"redis://{name}:6379/0": each for name, each in says.items()}
        self.asked: list[str] = []
        self.learnt: list[tuple[str, ...]] = []
        super().__init__("redis+cluster://one,two", lambda addresses: self.learnt.append(tuple(addresses)))

    def _told_by(self, address: str) -> Owners:
        self.asked.append(address)
        said = self.says.get(address, NoConnection("down"))
        if isinstance(said, Exception):
            raise said
        return said


def halves(first: str | None, second: str | None) -> Owners:
    return (first,) * (SLOTS // 2) + (second,) * (SLOTS // 2)


@pytest.mark.parametrize("fault", [NoConnection("down"), OSError(), IndexError(), TypeError(), ValueError()])
def test_one_node_that_says_is_enough(fault: Exception) -> None:
    told = Told(one=fault, two=halves(ONE, TWO))
    assert told.primary_of(0) == ONE
    assert told.primary_of(SLOTS - 1) == TWO
    assert told.primaries() == (ONE, TWO)
    assert told.covers_everything()


@pytest.mark.parametrize("said", [(None,) * SLOTS, IndexError()])
def test_a_cluster_without_slots_is_one_that_does_not_answer(said: Owners | Exception) -> None:
    with pytest.raises(NoConnection, match="nobody says who has which slots"):
        Told(one=said, two=said).primary_of(0)


def test_what_one_node_does_not_know_another_one_may() -> None:
    told = Told(one=halves(ONE, None), two=halves(None, TWO))
    assert told.covers_everything()


def test_a_slot_that_nobody_has() -> None:
    told = Told(one=halves(ONE, None), two=halves(ONE, None))
    assert told.primary_of(0) == ONE
    assert not told.covers_everything()
    with pytest.raises(NoConnection, match="who has slot 16383"):
        told.primary_of(SLOTS - 1)


def test_a_look_that_fails_takes_nothing_away() -> None:
    told = Told(one=halves(ONE, THREE), two=halves(ONE, THREE))
    told.look()
    told.says = {}
    told._run()
    assert told.primary_of(SLOTS - 1) == THREE
    told.says = {THREE: halves(TWO, THREE)}
    told.look()
    assert told.primary_of(0) == TWO, "it is asked as well, though no setting names it"


def test_an_event_loop_is_told_what_is_known_and_never_waits() -> None:
    told = Told(one=halves(ONE, TWO), two=halves(ONE, TWO))
    with pytest.raises(NoConnection):
        told.last_primary_of(0)
    assert wait_until(lambda: bool(told.learnt), seconds=60), "it is looked up in a thread"
    asked = list(told.asked)
    assert told.last_primary_of(0) == ONE
    assert told.asked == asked


def test_a_slot_that_moved_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(one=halves(ONE, TWO), two=halves(ONE, TWO))
    told.look()
    monkeypatch.setattr(told, "look_soon", lambda: None)
    told.moved(MovedError("1 three:6379"))
    assert [told.last_primary_of(slot) for slot in (0, 1, 2)] == [ONE, THREE, ONE]
    assert told.primaries() == (ONE, THREE, TWO)


def test_it_is_told_who_is_left() -> None:
    told = Told(one=halves(ONE, THREE), two=halves(ONE, THREE))
    told.look()
    assert told.learnt == [(ONE, THREE)]


def test_the_primaries_are_found_out_once_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(one=halves(ONE, TWO), two=halves(ONE, TWO))
    told.look()
    monkeypatch.setattr(topology, "url_of", None)
    assert told.primaries() is told.primaries()


def test_a_forked_child_knows_what_its_parent_knew() -> None:
    told = Told(one=halves(ONE, TWO), two=halves(ONE, TWO))
    told.look()
    with told._lock:
        child = os.fork()
        if child == 0:
            told.says = {}
            told.start_anew()
            told.look_soon()
            os._exit(0 if told.primary_of(0) == ONE else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
