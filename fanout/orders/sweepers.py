"""Sweeping shared out: any number of processes side by side, each with shards of the outbox of its own.

    manage.py sweep            as often as is wanted, on whatever machine

Each says in the broker's Redis, at every round, that it is here, and is told who else is. From the same list everybody
takes the shards that are theirs: the n-th of them by name takes the n-th shard, and so on. Nobody elects anybody and no
shard is locked: while the list changes, two may sweep one shard for a round, and each order is still claimed by one of
them (orders/resending.py). What both sent would do no harm, as a worker finds an order closed that is done.

For example, of the sweepers a and b, a has the shards 0, 2, 4, 6, b the others. b is killed. GONE_SECONDS later it is
not in the list any more, and at its next round a has all eight. Ended in order, b takes itself off the list.

**Who cannot do its work.** Sweepers change places every TURN_SECONDS by the broker's clock: what one cannot send, as
a group's broker is away for it alone, the next one does. Whose store does not answer takes itself off the list until
it has read from it, so that the others have its shards, or beat's task if nobody is left.

There are SHARDS shards; of more sweepers several have the same one, and share it by their claims. Without any, a task
of beat's sweeps all shards every two seconds, as on a laptop (fanout/tasks.py).
"""

import secrets
import socket
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from fanout.orders.brokers import is_broker
from fanout.orders.sweeper import Look, Memory, sweep
from storage.errors import Unavailable
from storage.ids.snowflakes import make_id, now_us
from storage.ports.outbox import SHARDS
from storage.redis.node import Script, broker_node
from storage.redis.reads import Read
from storage.stores import outbox

GONE_SECONDS = 5.0
"""Of which nothing was heard for so long counts as gone. A round takes three seconds at most: a sweep of two, and the
statements under way."""
BUSY_SECONDS = 0.5
"""Between the beginnings of two rounds while there is something to send."""
IDLE_SECONDS = 2.0
"""The same while there is nothing: each reads what the store has of the last minutes."""
RETRY_SECONDS = 0.5
"""After a round that a backend ended. It costs microseconds while a breaker is open."""
TURN_SECONDS = 30
"""Long beside a round: at each change two may sweep one shard for a round."""
KEY = "sweepers"

_meet = Script(Path(__file__).parent / "lua" / "meet.lua")
log = structlog.get_logger(__name__)


class Sweeper:
    """One process's part in sweeping."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}/{secrets.token_hex(8)}"
        self._share = Share([], 0.0)
        self._memory = Memory()
        self._look = Look()
        self._has_read = False
        """Whether the store has answered, and did not fail since."""

    def run(self, ended: threading.Event) -> None:
        """Sweeps until it is told to end; a backend that does not answer is waited for."""
        while not ended.is_set():
            began = time.monotonic()
            ended.wait(max(0.0, self._round() - (time.monotonic() - began)))
        self.leave()

    def meet(self) -> "Share":
        """Says that it is here, and returns what is its own now. One round trip. Raises `Unavailable`."""
        [(seconds, names)] = broker_node().ask(_present(self.name))
        share = share_of(self.name, names, seconds // TURN_SECONDS)
        if share != self._share:
            self._share = share
            log.info("sweeps", shards=share.shards, sweepers=len(names))
        return share

    def leave(self) -> None:
        """Lets the others have its shards at once; after GONE_SECONDS if the broker does not answer."""
        with suppress(Unavailable):
            broker_node().round_trip(("ZREM", KEY, self.name))

    def _round(self) -> float:
        """Sweeps once; returns how long after its beginning the next one is due."""
        try:
            self._read_once()
            share = self.meet()
            sent = sweep(share.shards, share=share.size, memory=self._memory, look=self._look)
            return BUSY_SECONDS if sent else IDLE_SECONDS
        except Unavailable as error:
            log.warning("sweep_waits", backend=error.backend)
            if is_broker(error.backend):
                self._look.lost(error.backend)
            elif self._has_read:
                self._has_read = False
                self.leave()
            return RETRY_SECONDS
        except Exception:
            log.exception("sweep_failed")
            return IDLE_SECONDS

    def _read_once(self) -> None:
        """Reads from the store, unless it has answered. Raises `Unavailable`."""
        if not self._has_read:
            outbox().open_orders(before=make_id(now_us(), 0), limit=1)
            self._has_read = True


class Share(msgspec.Struct, frozen=True):
    """What one sweeper sweeps, and which share of all that may be sent is its own."""

    shards: list[int]
    size: float


def share_of(name: str, names: Collection[str], turn: int) -> Share:
    """Returns the share of one of these sweepers: as large as each other's, give or take a shard.

    Each has every shard once in as many turns as there are sweepers.
    """
    count = len(names)
    place = (sorted(names).index(name) + turn) % count
    if count <= SHARDS:
        shards = list(range(place, SHARDS, count))
        return Share(shards, len(shards) / SHARDS)
    shard = place % SHARDS
    return Share([shard], 1 / SHARDS / len(range(shard, count, SHARDS)))


def anybody_sweeps(*, on_this_machine: bool = False) -> bool:
    """Says whether a sweeper, of this machine or of any, was here in GONE_SECONDS.

    One round trip. Raises `Unavailable`.
    """
    [(_, names)] = broker_node().ask(_present(""))
    return any(name.startswith(f"{socket.gethostname()}/") for name in names) if on_this_machine else bool(names)


def _present(name: str) -> Read[tuple[int, list[str]]]:
    """The broker's clock in seconds, and who is here."""
    command = _meet.call([KEY], name, int(GONE_SECONDS * 1_000))
    return Read((command,), lambda answer: (answer[0], [each.decode() for each in answer[1]]))
