"""Asking the stack afterwards, over REST only, until it answers. Nobody writes meanwhile."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tests.chaos.doors import Doors

LIMIT = 100
PAGES_MAX = 1_000
THREADS = 4
TRIES = 5

T = TypeVar("T")
R = TypeVar("R")


class NoAnswer(Exception):
    """A request that has to succeed by now did not."""


class Asker:
    """Asks for the people whose `tokens` these are, or for nobody (None)."""

    def __init__(self, doors: Doors, tokens: Mapping[int, str]) -> None:
        self._doors = doors
        self._tokens = tokens

    def get(self, path: str, person: int | None, *, missing_is_none: bool = False) -> Any:
        """The body. Raises `NoAnswer`."""
        return self._until_answered("GET", path, person, None, missing_is_none=missing_is_none)

    def put(self, path: str, person: int, body: Mapping[str, Any]) -> Any:
        return self._until_answered("PUT", path, person, body)

    def status(self, path: str, person: int | None) -> int:
        return self._doors.ask("GET", path, token=None if person is None else self._tokens[person], wait=15).status

    def signs_in(self, name: str, password: str) -> bool:
        credentials = {"username": name, "password": password}
        return self._doors.ask("POST", "/auth/token", body=credentials, wait=15).status == 200

    def scroll(self, path: str | None, person: int | None, *, may_be_short: bool = False) -> Iterator[Any]:
        """Every item of a collection, page by page; none of what is not there for them. Raises `NoAnswer`."""
        for _ in range(PAGES_MAX):
            if path is None:
                return
            page = self.get(path, person, missing_is_none=True)
            if page is None:
                return
            yield from page["data"]
            path = page["links"]["next"]
            if path is not None and len(page["data"]) < LIMIT and not may_be_short:
                raise NoAnswer(f"a page of {path} is short")

    def _until_answered(
        self,
        method: str,
        path: str,
        person: int | None,
        body: Mapping[str, Any] | None,
        *,
        missing_is_none: bool = False,
    ) -> Any:
        token = None if person is None else self._tokens[person]
        for turn in range(TRIES):
            answer = self._doors.ask(method, path, turn=turn, token=token, body=body, wait=15)
            if answer.status == 200:
                return answer.body
            if answer.status == 404 and missing_is_none:
                return None
            time.sleep(0.5)
        raise NoAnswer(f"{method} {path} by person {person} is answered {answer.status} {answer.error}")


def each_of(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results in order, a few calls at a time. Raises the first error."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, items))


def lines_of(call: Callable[[T], Iterable[str]], items: Iterable[T]) -> list[str]:
    """The results of each, one after the other."""
    return [line for lines in each_of(lambda item: list(call(item)), items) for line in lines]
