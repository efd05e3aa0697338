"""The product as an attacker sees it: its doors, and people who sign up there."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.errors import CannotStart
from tests.attack.wire import Answer, Door

PASSWORD = "Engine-No-1843"
API = "/api/v1"
HOME = "127.0.9.1"
"""Where people sign up from, twenty an hour."""

BUSY = 503
"""Too many passwords are hashed at the moment."""
TRIES = 5


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    token: str

    @property
    def email(self) -> str:
        return f"{self.username}@example.org"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


NOBODY = Person("", "")


@dataclass(slots=True)
class Target:
    """Where the product listens on loopback. Web and live may be one."""

    host: str
    web_port: int
    live_port: int
    fronted: bool = False
    """Whether the product believes that a front of its own stands before it."""
    reader: Person = NOBODY
    """Somebody whom no attack uses: whether they are answered is looked at."""

    def web(self, source: str) -> Door:
        return Door(self.host, self.web_port, source, self.fronted)

    def live(self, source: str) -> Door:
        return Door(self.host, self.live_port, source, self.fronted)

    async def sign_up(self, username: str, source: str = HOME) -> Person:
        """Somebody new. Raises `CannotStart` when that is refused."""
        body = {"username": username, "email": f"{username}@example.org", "password": PASSWORD}
        for _ in range(TRIES):
            answer = await self.web(source).ask("POST", f"{API}/auth/register", packed(body), seconds=30)
            if answer.status != BUSY:
                break
            await asyncio.sleep(1)
        if answer.status != 201:
            raise CannotStart(f"Signing up answered {answer.outcome}: {answer.body.decode(errors='replace')}")
        return Person(username, json.loads(answer.body)["data"]["token"])

    async def answers(self, source: str = HOME, seconds: float = 10.0) -> bool:
        """Whether a reader's home is answered in time."""
        return (await self.reads_home(self.reader, source, seconds)).status == 200

    async def reads_home(self, person: Person, source: str = HOME, seconds: float = 10.0) -> Answer:
        return await self.web(source).ask("GET", f"{API}/feed/home", headers=person.bearer, seconds=seconds)


def packed(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode()
