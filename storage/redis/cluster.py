"""One round trip to a cluster: commands to the primaries that have their keys, side by side, and the answers.

To its callers a cluster is one `RedisNode` (node.py), whose `round_trip` comes here. Commands fall into pieces by slot
(slots.py) and pieces go to the slots' primaries (topology.py): all are sent to before any answer is waited for, so that
several nodes take as long as the slowest of them, and several that hang one timeout: whoever has not answered while the
first was waited for is waited for no longer. Each node has connections and a breaker of its own: one that is
down costs those whose keys it has, and nobody else.

**Generations.** A shard's keys are in one slot, and the generation is the slot's (lua/begin_slot.lua): a connection
asks for it, before anything else of that slot, in the same round trip. So whatever is read was written under this
server, as with one Redis: a slot that has moved, or whose replica was promoted, is emptied by the first who meets it
there, and the other slots of either node stand. While a slot moves, its generation is at neither end for good. Who has
asked for it goes on; whoever has not is refused, and so reads the store.

**Redirections.** MOVED: the piece is sent again, to where it points. ASK: the same, for this once, but of scripts. A
script that went along would be carried out at the target while the slot's other keys stand at the source; and one that
begins a generation would empty one end, and have the target hold what comes later for its own. So it is refused as it
is where its keys stand at both ends: TRYAGAIN is an answer like any other error, and the caller has a way on without
Redis. `TIME` goes where the command before it went, and is not answered where that is not: it says how old that is.

**Nodes that are gone** are forgotten with the look that does not name them, and their probes end.
"""

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from threading import Lock
from typing import Generic, Protocol, TypeVar

import msgspec
from django.conf import settings
from redis.exceptions import AskError, MovedError, RedisError, TryAgainError
from redis.exceptions import ClusterDownError as ClusterDown
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from storage.errors import Unavailable
from storage.redis.reads import Command
from storage.redis.slots import Piece, pieces_of, together
from storage.redis.topology import Topology

REDIRECTIONS = 3
"""After so many a piece is given up: two nodes point to each other for a moment, while a slot moves between them."""
ASKING: Command = ("ASKING",)
SCRIPTS = ("EVAL", "EVALSHA")


class Said(msgspec.Struct, frozen=True):
    """A node's answers to what it was sent, and the generations of the slots that were greeted before, or errors."""

    answers: list[object]
    generations: Mapping[int, object]


Conversation = Generator[None, bool | None, Said]
"""What is said to one node: sent at the first step, and returned with the answers at the second.

Sent True there, it takes what has come already, and waits for nothing.
"""

M = TypeVar("M", bound="Member")


class Member(Protocol):
    """A node of the cluster, as `RedisNode` is one."""

    def converse(self, commands: Sequence[Command], slots: Sequence[int]) -> Conversation:
        """Sends commands, greeting those of the `slots` first that this connection has not.

        Raises `RedisError`, `OSError` and `Unavailable`.
        """
        ...

    def disconnect(self) -> None:
        """Has everybody connect anew."""
        ...

    def retire(self) -> None:
        """Lets go of everything: nobody will ask for it again, but who is just talking to it."""
        ...


class _Errand(msgspec.Struct):
    """A piece on its way, by its number among all: where to, and whether a redirection for this once brought it."""

    number: int
    piece: Piece
    address: str
    asking: bool = False

    @property
    def commands(self) -> list[Command]:
        return [ASKING, self.piece.command] if self.asking else [self.piece.command]


class Cluster(Generic[M]):
    """The nodes of one cluster in this process. Thread-safe.

    `member` makes one from its address; `saw` is told of each generation that a slot was found to have.
    """

    def __init__(self, url: str, member: Callable[[str], M], saw: Callable[[int, bytes], None]) -> None:
        self.topology = Topology(url, self._keep_only)
        self._make_member = member
        self._saw = saw
        self._members: dict[str, M] = {}
        self.start_anew()

    def start_anew(self) -> None:
        """In a forked child; members see to themselves."""
        self._lock = Lock()
        self.topology.start_anew()

    def member(self, address: str) -> M:
        """Returns the node at an address, always the same one."""
        found = self._members.get(address)
        if found is None:
            with self._lock:
                found = self._members.setdefault(address, self._make_member(address))
        return found

    @property
    def members(self) -> list[M]:
        """Those that were asked for something lately."""
        return list(self._members.values())

    def _keep_only(self, addresses: Collection[str]) -> None:
        with self._lock:
            gone = [each for address, each in self._members.items() if address not in addresses]
            self._members = {address: each for address, each in self._members.items() if address in addresses}
        for each in gone:
            each.retire()

    def exchange(self, commands: Sequence[Command]) -> list[object]:
        """Returns the answers in order, and in place of those that there are not the errors.

        Raises `RedisError` when nobody says where anything is. One round trip; another one for each redirection.
        """
        pieces = pieces_of(commands)
        answers: list[object] = [None] * len(pieces)
        errands = self._errands(pieces, answers)
        for _ in range(REDIRECTIONS):
            self._run(errands, answers)
            errands = self._again(errands, answers)
            if not errands:
                break
        return together(commands, pieces, answers)

    def _errands(self, pieces: Sequence[Piece], answers: list[object]) -> list[_Errand]:
        errands: list[_Errand] = []
        for number, piece in enumerate(pieces):
            if piece.slot is None:
                errands += [_Errand(number, piece, each) for each in self.topology.primaries()]
                continue
            try:
                errands.append(_Errand(number, piece, self.topology.primary_of(piece.slot)))
            except RedisError as error:
                answers[number] = error
        if pieces and not errands:
            raise NoConnection("no node has any of the slots")
        return errands

    def _run(self, errands: Sequence[_Errand], answers: list[object]) -> None:
        """Goes to all nodes at once, and puts each answer into its place; of one to every node the worst."""
        by_address: dict[str, list[_Errand]] = {}
        for errand in errands:
            by_address.setdefault(errand.address, []).append(errand)
        begun = [(some, self._begun(address, some)) for address, some in by_address.items()]
        late_at = time.monotonic() + settings.REDIS_TIMEOUT_SECONDS
        told: set[int] = set()
        for some, conversation in begun:
            for errand, answer in zip(some, self._ended(conversation, some, late_at), strict=True):
                if errand.number not in told or isinstance(answer, RedisError):
                    answers[errand.number] = answer
                told.add(errand.number)
                if isinstance(answer, NoConnection | NoAnswer | ClusterDown):
                    self.topology.look_soon()

    def _begun(self, address: str, errands: Sequence[_Errand]) -> Conversation | RedisError:
        """Sends what is for one node."""
        commands = [command for errand in errands for command in errand.commands]
        slots = {errand.piece.slot for errand in errands if not errand.asking}
        conversation = self.member(address).converse(commands, [slot for slot in slots if slot is not None])
        try:
            next(conversation)
        except (RedisError, OSError, Unavailable) as error:
            return _no_answer(error)
        return conversation

    def _ended(
        self, conversation: Conversation | RedisError, errands: Sequence[_Errand], late_at: float
    ) -> list[object]:
        """The answers to a node's errands; the error in place of each when the node did not answer."""
        if not isinstance(conversation, RedisError):
            try:
                conversation.send(time.monotonic() >= late_at)
            except StopIteration as ended:
                return self._answers(ended.value, errands)
            except (RedisError, OSError, Unavailable) as error:
                conversation = _no_answer(error)
        return [conversation for _ in errands]

    def _answers(self, said: Said, errands: Sequence[_Errand]) -> list[object]:
        """The last answer to each errand, and none of a slot whose generation could not be asked for."""
        for slot, generation in said.generations.items():
            if isinstance(generation, bytes):
                self._saw(slot, generation)
        answers = iter(said.answers)
        found = [[next(answers) for _ in errand.commands][-1] for errand in errands]
        for place, errand in enumerate(errands):
            generation = said.generations.get(errand.piece.slot) if errand.piece.slot is not None else None
            if isinstance(generation, RedisError) and not errand.asking:
                found[place] = _on_its_way(generation)
        return found

    def _again(self, errands: Sequence[_Errand], answers: list[object]) -> list[_Errand]:
        """What is to be sent once more, and where; `TIME` with the command before it, or refused with it."""
        again: list[_Errand] = []
        before: dict[int | None, tuple[_Errand | None, object]] = {}
        for errand in errands:
            number, slot = errand.number, errand.piece.slot
            if errand.piece.command[0] == "TIME" and slot in before:
                redirected, answer = before[slot]
                if isinstance(answer, RedisError):
                    answers[number] = answer
                if redirected is not None:
                    again.append(_Errand(number, errand.piece, redirected.address, redirected.asking))
                continue
            redirected = self._redirected(errand, answers)
            before[slot] = redirected, answers[number]
            if redirected is not None:
                again.append(redirected)
        return again

    def _redirected(self, errand: _Errand, answers: list[object]) -> _Errand | None:
        """A piece on its way to where its answer points, if it does; of a script on ASK the answer is replaced."""
        answer = answers[errand.number]
        if errand.piece.slot is None or not isinstance(answer, AskError):
            return None
        address = self.topology.address_in(answer)
        if isinstance(answer, MovedError):
            self.member(errand.address).disconnect()
            self.topology.moved(answer)
            return _Errand(errand.number, errand.piece, address)
        if errand.piece.command[0] in SCRIPTS:
            answers[errand.number] = _on_its_way(answer)
            return None
        return _Errand(errand.number, errand.piece, address, asking=True)


def _no_answer(error: Exception) -> RedisError:
    if isinstance(error, RedisError):
        return error
    silence = NoConnection(str(error))
    silence.__cause__ = error
    return silence


def _on_its_way(error: RedisError) -> RedisError:
    """Returns what stands for the answers to what is asked of a slot as a whole, while its keys stand at two nodes."""
    if isinstance(error, AskError) and not isinstance(error, MovedError):
        return TryAgainError("the slot is on its way to another node")
    return error
