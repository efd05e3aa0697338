"""The same worlds, in which some people also listen to their homes: their clients come, go, and come again.

A client has loaded its home once. From then on it is shown, by frames or by pages after a `gap`, whatever comes into
it, and is told what leaves, wherever it comes back to and with whatever cursor it has kept. Not what a change of people
brings in or takes out: that is no new tweet.

**Time.** A frame's cursor is a watermark, some 20 s old in the product: longer than a whole interleaving, so that each
resume would go back behind everything, and nothing could be missed. Here ids have settled as soon as nothing that is
older is unwritten, nor still to be seen by the process itself: the clock that settling goes by runs 21 s ahead
(`World._settling_us`), and is held by posts that are stopped before their write, and by the process until it has looked
who was suspended and who had vanished from an emptied Redis (`Process.held_us`), which takes it 6 s of the 21. So
the newest cursor is often just below what the client has been shown last, and whatever its place rests on counts.

What happens to a client are steps of its own, drawn from the seed as the others are and put in between.
"""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from deploy.valkey import Valkey
from fanout.live.watermark import tell_watermark
from fanout.timelines.settled import tell_settled
from storage.errors import Unavailable
from storage.web.paging import Page, PageRequest, decode_since
from tests.integration.feed.sockets import Socket
from tests.property.interleaving import Step, steps_of
from tests.property.machine import Timelines
from tests.property.oracle import SUSPENDED, Fact
from tests.property.polled import EVERYTHING, changed_people, never_shown
from tests.property.process import Process, live
from tests.property.reading import PAGES, name, names, reading
from tests.property.world import World
from tweets.reading.hydration import TweetOut

LISTENERS = 2
MOVES = 0.4
"""How often something happens to a client before a step."""
MOVE = ("goes", "goes", "comes", "comes", "comes", "dies")
CURSORS = ("last", "last", "last", "older", "page")
SMALL = {"QUEUE_SIZE": 4, "REPLAY_PAGE": 3, "REPLAY_LIMIT": 6, "KEPT": 2, "LOG_PAGE": 2}
"""So that clients fall behind, miss more than is replayed, and more is deleted than is remembered."""
OPEN_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""For what must happen in the end; it means that the test hangs."""
QUIET_ROUNDS = 25
"""In the end, when nothing happens any more: after so many looks of its process in which nothing came to a client,
nothing will. Not a time, since the machine may be busy."""
KNOWN_STEPS = 3
"""A frame may have been read some steps ago, and have waited since."""


def listening_steps_of(seed: int, moves: float = MOVES) -> list[Step]:
    """The steps that the seed means, with those of clients in between; with `moves` 0 each stays where it is."""
    dice = Random(f"{seed}:clients")
    meeting, *steps = steps_of(seed)
    found = [meeting, Step("people_listen", {"limits": dice.choice([{}, {}, SMALL])})]
    for step in steps:
        if dice.random() < moves:
            what = {"move": dice.choice(MOVE), "who": dice.randrange(LISTENERS)}
            found.append(Step("client_moves", {**what, "cursor": dice.choice(CURSORS), "place": dice.randrange(40)}))
        found.append(step)
    return found


class Client:
    """One person's client: what it was shown, what is on its screen, and the cursors that it has kept."""

    def __init__(self, world: World, person: int) -> None:
        self._world = world
        self.person = person
        self.name = name(world, person)
        self.since_facts = len(world.unsteady)
        self.shown: set[int] = set()
        self.screen: set[int] = set()
        self.gaps = 0
        self._cursors: list[str | None] = []
        self._socket: Socket | None = None
        self._after: str | None = None
        self.is_open = False
        self._possible: list[set[int]] = []
        self.note_what_may_be()
        self._cursors.append(self._load(EVERYTHING).newer_cursor)

    @property
    def is_there(self) -> bool:
        return self._socket is not None

    def note_what_may_be(self) -> None:
        may_be = {each.entry.id for each in self._world.oracle.home(self.person)}
        self._possible = [*self._possible, may_be][-KNOWN_STEPS:]

    def come(self, process: Process, cursor: str, place: int) -> None:
        if self._socket is None and self._world.oracle.known(Fact(SUSPENDED, self.person)) is False:
            self._after = self._kept(cursor, place)
            self._socket = Socket(self._world.user(self.person))
            process.run(self._socket.come())

    def go(self, process: Process) -> None:
        if self._socket is not None:
            self.take(process)
        if self._socket is not None:
            process.run(self._socket.close())
            self.is_cut_off()

    def is_cut_off(self) -> None:
        self._socket, self.is_open = None, False

    def take(self, process: Process) -> bool:
        """Takes in what has come; whether there was anything."""
        frames = self._socket.arrived() if self._socket is not None else []
        for frame in frames:
            self._take(frame, process)
        return bool(frames)

    def _take(self, frame: dict[str, Any], process: Process) -> None:
        match frame["type"]:
            case "ready":
                assert self._socket is not None
                after = {} if self._after is None else {"after": self._after}
                process.run(self._socket.say(type="subscribe", stream="home", **after))
            case "subscribed":
                self.is_open = True
                if self._after is None:  # an empty page had no cursor: what came in between is on it now
                    self.screen.clear()
                    self._cursors.append(self._load(EVERYTHING).newer_cursor)
            case "tweet":
                self._show([int(frame["tweet"]["id"])])
                self._cursors.append(frame["cursor"])
            case "delete":
                self.screen.discard(int(frame["id"]))
            case "gap":
                self._load_anew(frame["after"])
            case "closed":
                self.is_cut_off()
            case other:
                assert other == "error", other

    def _kept(self, which: str, place: int) -> str | None:
        match which:
            case "page":
                self.screen.clear()
                return self._load(EVERYTHING).newer_cursor
            case "older":
                return self._cursors[place % len(self._cursors)]
            case _:
                return self._cursors[-1]

    def _load_anew(self, after: str) -> None:
        """Pages from there, as a client that fell behind does; of what it has on its screen nothing is known to it."""
        self.gaps += 1
        self.screen.clear()
        cursor: str | None = after
        for _ in range(PAGES):
            assert cursor is not None
            place, unsettled = decode_since(cursor)
            page = self._load(PageRequest(limit=2, after=place, unsettled=unsettled))
            if not page.items:
                return
            cursor = page.newer_cursor
        raise AssertionError(f"{self.name} pages on without end")

    def _load(self, request: PageRequest) -> Page[TweetOut]:
        page = reading(self._world, self.person, request).run()
        assert isinstance(page, Page)
        self._show([int(tweet.id) for tweet in page.items])
        return page

    def _show(self, ids: list[int]) -> None:
        never = sorted(set(ids) - set().union(*self._possible))
        assert not never, f"{self.name} is shown {names(self._world, never)}, which stands in no home of theirs"
        self.shown.update(ids)
        self.screen.update(ids)

    # In the end ------------------------------------------------------------------------------

    def lacking(self) -> list[int]:
        return never_shown(self._world, self.person, self.shown, self.since_facts)

    def lingering(self) -> list[int]:
        """What is gone, by and of people between whom and this one nothing has changed, and is on the screen."""
        facts = [each for each in self._world.unsteady[self.since_facts :] if each.kind != SUSPENDED]
        excused = changed_people(self._world, self.person, facts)
        return [each for each in sorted(self.screen) if self._is_gone(each) and not excused & self._people(each)]

    def _is_gone(self, entry_id: int) -> bool:
        oracle = self._world.oracle
        there = [oracle.is_there(each) for each in (entry_id, oracle.entries[entry_id].shown)]
        suspended = [oracle.known(Fact(SUSPENDED, each)) for each in self._people(entry_id)]
        return False in there or True in suspended

    def _people(self, entry_id: int) -> set[int]:
        entries = self._world.oracle.entries
        return {entries[entry_id].author, entries[entries[entry_id].shown].author}


class ListeningTimelines(Timelines):
    """Two people listen; after each step their process runs for a moment."""

    def __init__(self, server: Valkey, threads: ThreadPoolExecutor) -> None:
        super().__init__(server, threads)
        self.clients: list[Client] = []

    def people_listen(self, limits: dict[str, int]) -> None:
        self.process = Process()
        self.world.meanwhile(live(lambda: self.process, limits))
        self.world.holding.append(self._held_us)
        self.world.meanwhile(self._living())
        self.clients = [Client(self.world, each) for each in self.world.people[:LISTENERS]]
        for each in self.clients:
            self._come(each, "last", 0)

    def client_moves(self, move: str, who: int, cursor: str, place: int) -> None:
        """It goes away, comes back, or its process dies under it and everybody else."""
        if not self.clients:
            return
        client = self.clients[who % LISTENERS]
        match move:
            case "goes":
                client.go(self.process)
            case "comes":
                self._come(client, cursor, place)
            case "dies":
                self._another_process()

    def after_each_step(self) -> None:
        super().after_each_step()
        if self.clients:
            self._sweep()
            self._listen()

    def end_well(self) -> None:
        super().end_well()
        if self.clients:
            self._listen()
            self._come_back()
            quiet = 0
            while told := self._told():
                assert quiet < QUIET_ROUNDS, "; ".join(told)
                self.process.run_a_round(seconds=PATIENCE_SECONDS)
                came = [each.take(self.process) for each in self.clients]
                quiet = 0 if any(came) else quiet + 1

    def _held_us(self) -> int:
        return self.process.held_us()

    @contextmanager
    def _living(self) -> Generator[None]:
        try:
            yield
        finally:
            self.process.die()

    def _come(self, client: Client, cursor: str, place: int, *, seconds: float = OPEN_SECONDS) -> None:
        with suppress(Unavailable):
            client.come(self.process, cursor, place)
        if client.is_there:
            self._until(lambda: client.is_open or not client.is_there, seconds)

    def _another_process(self) -> None:
        for each in self.clients:
            each.take(self.process)
            each.is_cut_off()
        self.process.die()
        self.process = Process()

    def _listen(self) -> None:
        for each in self.clients:
            each.note_what_may_be()
        if any(each.is_there for each in self.clients):
            self.process.run_a_round()
        for each in self.clients:
            each.take(self.process)

    def _come_back(self) -> None:
        for each in self.clients:
            if each.person in self._present() and not each.is_there:
                self._come(each, "last", 0, seconds=PATIENCE_SECONDS)
                assert each.is_open, f"{each.name} cannot come back"

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        def found() -> bool:
            for each in self.clients:
                each.take(self.process)
            return condition()

        return self.process.run_until(found, seconds=seconds)

    def _told(self) -> list[str]:
        present = [each for each in self.clients if each.person in self._present()]
        lacking = [(each.name, "was never shown", each.lacking()) for each in present]
        lingering = [(each.name, "was never told the end of", each.lingering()) for each in present]
        return [f"{who} {what} {names(self.world, found)}" for who, what, found in [*lacking, *lingering] if found]

    def _sweep(self) -> None:
        with suppress(Unavailable):
            tell_settled(tell_watermark())
