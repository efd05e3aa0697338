"""Who lives in the demo, and who follows whom. The same seed makes the same people."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import networkx

from deploy.errors import CannotStart

FIRST_NAMES = [
    "ada", "aiko", "alan", "amara", "anya", "bela", "chen", "chidi", "dana", "diego", "ebba", "elif", "emre", "fatou",
    "femi", "freya", "goran", "grace", "hana", "hugo", "ines", "ivan", "jana", "jiro", "kofi", "lana", "linus", "lupe",
    "maya", "mina", "noor", "omar", "otto", "paz", "priya", "quinn", "rosa", "sami", "soren", "tariq", "uma", "vera",
    "wei", "xena", "yara", "zoe",
]  # fmt: skip
BIOS = [
    "Trains, tea and type systems.", "Kocht, liest, wandert.", "写真と猫。", "Fotógrafa. Café con leche.",
    "🚴 ⛰️ ☕", "Historian of small things.", "أكتب عن المدن", "Data by day, drums by night.", "",
]  # fmt: skip
LEAVERS = 2
PASSWORD = "Lively-Stream-41"  # noqa: S105 - of people who do not exist
FRIENDS = 8
"""Whom a newcomer follows: with preferential attachment, a few are followed by a large part of all."""
FOLLOW_BACK = 0.3


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    username: str
    display_name: str
    bio: str

    @property
    def email(self) -> str:
        """Returns an address of nobody's (RFC 2606), to which no letter is sent that asks for it to be confirmed."""
        return f"{self.username}@demo.invalid"


@dataclass(frozen=True, slots=True)
class Society:
    """People by number, and (reader, author) pairs of numbers in the order in which they are made."""

    people: list[Person]
    follows: list[tuple[int, int]]
    leavers: list[Person] = field(default_factory=list)
    """They come, are heard of, and leave; their numbers go on behind those of the people."""

    def name_of(self, number: int) -> str:
        return [*self.people, *self.leavers][number].username

    def popularity(self) -> list[int]:
        """Returns how many follow each person."""
        counts = [0] * len(self.people)
        for _, author in self.follows:
            counts[author] += 1
        return counts


def make_society(*, count: int, seed: int, graph: Path | None) -> Society:
    """Returns a power-law graph, or that of the edge list `graph`. Raises `CannotStart` when it cannot be read."""
    dice = random.Random(f"{seed}:people")  # noqa: S311
    follows = _from_file(graph, count) if graph is not None else _power_law(count, seed, dice)
    present = count if graph is None else 1 + max(max(pair) for pair in follows)
    everybody = [_person(number, seed, dice) for number in range(present + LEAVERS)]
    return Society(everybody[:present], follows, everybody[present:])


def _person(number: int, seed: int, dice: random.Random) -> Person:
    first = dice.choice(FIRST_NAMES)
    return Person(number, f"{first}_{seed}_{number}", f"{first.title()} {_initial(dice)}.", dice.choice(BIOS))


def _initial(dice: random.Random) -> str:
    return dice.choice("ABCDEFGHJKLMNOPRSTVWYÅÖŠ")


def _power_law(count: int, seed: int, dice: random.Random) -> list[tuple[int, int]]:
    """Barabási and Albert, Science 286 (1999): newcomers follow whom many follow; some are followed back."""
    if count < 2:
        return []
    friendships = networkx.barabasi_albert_graph(count, min(FRIENDS, count - 1), seed=seed)
    follows = []
    for one, other in friendships.edges:
        author, reader = sorted((one, other))
        follows.append((reader, author))
        if dice.random() < FOLLOW_BACK:
            follows.append((author, reader))
    dice.shuffle(follows)
    return follows


def _from_file(path: Path, count: int) -> list[tuple[int, int]]:
    """Lines of "reader author", `#` begins a comment; of more than `count` people the best connected."""
    try:
        graph = networkx.read_edgelist(path, create_using=networkx.DiGraph, data=False)
    except (OSError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise CannotStart(
            f"GRAPH={path} cannot be read as an edge list, one 'reader author' a line: {error}"
        ) from error
    best = sorted(graph.nodes, key=lambda node: (-graph.degree(node), node))[:count]
    numbers = {node: number for number, node in enumerate(best)}
    follows = [
        (numbers[reader], numbers[author])
        for reader, author in graph.edges
        if reader != author and reader in numbers and author in numbers
    ]
    if not follows:
        raise CannotStart(f"GRAPH={path} has no edge between {count} people.")
    return sorted(follows)
