"""What a bench is: a module `bench/<name>.py` with `measure(stack)`, and the stack that it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.results import Result
from bench.stack import Size, Stack

Measure = Callable[[Stack], Result]
"""Django is set up and points at the stack's servers when it is called."""


@dataclass(frozen=True, slots=True)
class Bench:
    name: str
    measures: str
    """In a few words, for the table."""
    size: Size
    stores: tuple[str, ...] = ("embedded", "cassandra")
