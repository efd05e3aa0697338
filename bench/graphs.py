"""Who follows whom, for benches that load people of very different reach."""

from pathlib import Path

import msgspec
import networkx

from deploy.demo.people import make_society
from deploy.errors import CannotStart

MOST_PEOPLE = 20_000
"""Seeding more would take longer than the bench."""


class Follows(msgspec.Struct, frozen=True):
    """People are numbered from 0; pairs are (reader, author)."""

    people: int
    pairs: list[tuple[int, int]]

    def followees(self) -> list[list[int]]:
        """Whom each one follows."""
        found: list[list[int]] = [[] for _ in range(self.people)]
        for reader, author in self.pairs:
            found[reader].append(author)
        return found

    def most_followed(self) -> int:
        """How many follow the person whom most follow."""
        counts = [0] * self.people
        for _, author in self.pairs:
            counts[author] += 1
        return max(counts, default=0)


def power_law(people: int, seed: int = 1) -> Follows:
    """The graph that `make demo` has."""
    return Follows(people, make_society(count=people, seed=seed, graph=None).follows)


def friendships(path: Path) -> Follows:
    """Of an edge list, one undirected pair of numbers a line: friends follow each other.

    Raises `CannotStart` when it cannot be read, or names too many people.
    """
    try:
        graph = networkx.read_edgelist(path, nodetype=int, data=False)
    except (OSError, TypeError, ValueError) as error:
        raise CannotStart(f"GRAPH={path} cannot be read as an edge list, two numbers a line: {error}") from error
    numbers = {node: number for number, node in enumerate(sorted(graph.nodes))}
    if not 1 < len(numbers) <= MOST_PEOPLE:
        raise CannotStart(f"GRAPH={path} names {len(numbers):,} people; 2 to {MOST_PEOPLE:,} can be seeded.")
    friends = [(numbers[one], numbers[other]) for one, other in graph.edges if one != other]
    return Follows(len(numbers), [pair for one, other in friends for pair in ((one, other), (other, one))])
