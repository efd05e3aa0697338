"""Clients of the live feed: each listens to one person's home, and comes back whenever its socket breaks.

They do what docs/live.md says: the first page over REST, `subscribe` from its cursor, then each time from the last
frame's; ids that were seen are dropped, and behind a `gap` it is paged from its `after`.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.chaos.doors import Doors
from tests.chaos.journal import Journal
from tests.chaos.oracle import Entry, Item
from tests.chaos.record import Record
from tests.chaos.requests import username
from tests.chaos.schedule import LIVE
from tests.chaos.screens import Screen

OPEN_SECONDS = 5.0
LISTEN_SECONDS = 0.5
SILENCE_SECONDS = 6.0
"""A client whose pings are not answered for so long takes the socket for broken: longer than a process hangs."""
PAUSE_SECONDS = (0.05, 0.6)
"""Before it comes back, by chance: not everybody at once."""
STAYS_SECONDS = (2.0, 20.0)
AWAY_SECONDS = (0.5, 4.0)
"""A client also hangs up by itself, and is away for a while: faults alone break few sockets."""
RIGHT_SECONDS = 45.0
LIMIT = 100
PAGES = 200
BROKEN = (OSError, WebSocketException, TimeoutError)


class Broken(Exception):
    """The socket, or a page that is needed, is not to be had."""


class Client:
    """One person's client, in a thread of its own from `start` to `stop`."""

    def __init__(self, person: int, token: str, doors: Doors, journal: Journal, dice: random.Random) -> None:
        self.screen = Screen(person, time.time())
        self.lock = threading.Lock()
        """Held while the screen changes."""
        self.counts: Counter[str] = Counter()
        self._token = token
        self._address = f"ws://{urlsplit(doors.urls[LIVE]).netloc}/ws/feed"
        self._doors = doors
        self._journal = journal
        self._dice = dice
        self._cursor: str | None = None
        self._is_subscribed = False
        self._stays = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"listener.{person}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stay(self) -> None:
        """Hangs up no more by itself."""
        self._stays.set()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except (Broken, *BROKEN) as error:
                self.counts["broken"] += 1
                self._journal.note("socket broken", person=self.screen.person, error=type(error).__name__)
            except Exception as error:
                self._journal.find(f"client of person {self.screen.person} failed: {error!r}")
            self._stopped.wait(self._dice.uniform(*PAUSE_SECONDS))

    def _listen(self) -> None:
        """One socket's life. Ends by raising what broke it, or when the client stops."""
        headers = {"Authorization": f"Bearer {self._token}"}
        with connect(
            self._address, additional_headers=headers, open_timeout=OPEN_SECONDS, close_timeout=0.5, ping_interval=None
        ) as socket:
            if self._cursor is None:
                self._load(f"/feed/home?limit={LIMIT}")
            after = {} if self._cursor is None else {"after": self._cursor}
            self._is_subscribed = False
            self._say(socket, type="subscribe", stream="home", **after)
            self._journal.note("socket", person=self.screen.person, resumed=self._cursor is not None)
            heard = time.time()
            goes = heard + self._dice.uniform(*STAYS_SECONDS)
            while time.time() < goes or self._stays.is_set():
                if self._stopped.is_set():
                    return
                with suppress(TimeoutError):
                    self._take(json.loads(socket.recv(timeout=LISTEN_SECONDS)))
                    heard = time.time()
                    continue
                if time.time() > heard + SILENCE_SECONDS:
                    raise Broken
                self._say(socket, type="ping")
        self.counts["went"] += 1
        self._stopped.wait(self._dice.uniform(*AWAY_SECONDS))

    def _take(self, frame: Mapping[str, Any]) -> None:
        self.counts[frame["type"]] += 1
        match frame["type"]:
            case "tweet":
                with self.lock:
                    self.screen.show([Item.read(frame["tweet"])])
                self._cursor = frame["cursor"]
            case "delete":
                with self.lock:
                    self.screen.on_it.discard(int(frame["id"]))
            case "subscribed":
                self._is_subscribed = True
                if self._cursor is None:  # an empty page had no cursor: what came in between is on it now
                    self._load(f"/feed/home?limit={LIMIT}")
            case "gap":
                self._load_anew(frame["after"])
            case "error" if not self._is_subscribed:  # a back end was away: it does not begin by itself
                raise Broken

    def _load_anew(self, after: str) -> None:
        """Pages up from there; of what is on the screen nothing is known any more."""
        with self.lock:
            self.screen.on_it.clear()
        cursor: str | None = after
        for _ in range(PAGES):
            page = self._page(f"/feed/home?limit={LIMIT}&since={cursor}")
            if not page["data"]:
                return
            cursor = page["meta"]["prev_cursor"]
        raise Broken

    def _load(self, path: str) -> None:
        self._cursor = self._page(path)["meta"]["prev_cursor"]

    def _page(self, path: str) -> Any:
        """Until it is answered, so that a gap is paged over before the client takes anything else."""
        while not self._stopped.is_set():
            turn = self._dice.randrange(1_000)
            answer = self._doors.ask("GET", path, turn=turn, token=self._token)
            if answer.status == 200:
                with self.lock:
                    self.screen.show(map(Item.read, answer.body["data"]))
                return answer.body
            self._stopped.wait(self._dice.uniform(*PAUSE_SECONDS))
        raise Broken

    def _say(self, socket: ClientConnection, **frame: str) -> None:
        socket.send(json.dumps(frame))


class Listeners:
    """Some people's clients, from `start` until `stop`."""

    def __init__(self, doors: Doors, journal: Journal, *, seed: int) -> None:
        self._doors = doors
        self._journal = journal
        self._seed = seed
        self._clients: list[Client] = []

    def start(self, tokens: Mapping[int, str], people: Iterable[int]) -> None:
        """These people listen from now on."""
        for person in people:
            dice = random.Random(f"{self._seed}:listener:{person}")
            client = Client(person, tokens[person], self._doors, self._journal, dice)
            self._clients.append(client)
            client.start()

    def differences(self, record: Record, entries: Sequence[Entry], people: Iterable[int]) -> list[str]:
        """What is wrong on the screens, once nothing is or RIGHT_SECONDS are over. From now on nobody hangs up.

        `people` are all that there ever were.
        """
        for each in self._clients:
            each.stay()
        names = {username(each): each for each in people}
        deadline = time.time() + RIGHT_SECONDS
        while True:
            wrong = [line for each in self._clients for line in _wrong(each, record, entries, names)]
            if not wrong or time.time() > deadline:
                return wrong
            time.sleep(0.5)

    def counts(self) -> Counter[str]:
        """How often a socket was subscribed, broken, and told each kind of frame."""
        return sum((each.counts for each in self._clients), Counter())

    def entries(self) -> int:
        """Entries that were shown, over all clients."""
        return sum(len(each.screen.items) for each in self._clients)

    def stop(self) -> None:
        for each in self._clients:
            each.stop()


def _wrong(client: Client, record: Record, entries: Sequence[Entry], names: dict[str, int]) -> list[str]:
    with client.lock:
        return client.screen.differences(record, entries, names)
