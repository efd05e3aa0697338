"""A client that polls a collection by the pages' own `prev`, and writers that stop between an id and its write."""

from collections.abc import Callable
from typing import Any

from storage.stores import associations
from tests.people import ApiClient
from tests.stepping import Stepped
from tweets.stores.port import tweet_store


class Poller:
    """Reads the first page, then what `prev` leads to, and drops what it has been shown already."""

    def __init__(self, client: ApiClient, path: str, *, limit: int = 20) -> None:
        self._client = client
        self._link = f"/api/v1{path}{'&' if '?' in path else '?'}limit={limit}"
        self.shown: list[int] = []
        self.came_twice = 0
        self.poll()
        assert self._link is not None, "there is something to poll from"

    def poll(self) -> list[int]:
        """What is new, newest first."""
        answer = self._client.get(self._link)
        assert answer.status_code == 200, answer.content
        body: dict[str, Any] = answer.json()
        self._link = body["links"]["prev"]
        ids = [int(item["id"]) for item in body["data"]]
        new = [each for each in ids if each not in self.shown]
        self.came_twice += len(ids) - len(new)
        self.shown += new
        return new


def paused_before_it_is_written(write: Callable[[], object]) -> Stepped:
    """The call, which stops when it has its id and nobody can see it yet, in either store; `finish` it."""
    return Stepped(write, before=[(tweet_store(), "add"), (associations(), "apply")])
