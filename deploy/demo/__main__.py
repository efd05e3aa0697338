"""`make demo`: a lively little network on a running server, through its public HTTP API only.

    make demo PEOPLE=1000 TWEETS=3000 SEED=1 GRAPH=edges.txt DATA_DIR=data URL=http://127.0.0.1:8000

It finds the run that DATA_DIR belongs to; URL names another server. The same numbers make the
same people, follows and texts. Run again, it signs in to the people of the first run and goes on:
a tweet that was written before is not written twice (within the day that the server remembers
Idempotency-Keys). It needs a server with RATE_LIMITS=off, and looks before it begins.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy import plan
from deploy.demo.api import Api
from deploy.demo.demo import IN_FLIGHT, Demo, Tally
from deploy.demo.people import PASSWORD, make_society
from deploy.demo.scene import WORD
from deploy.errors import CannotStart
from deploy.supervisor.records import read_addresses


@dataclass(frozen=True, slots=True)
class Options:
    people: int
    """PEOPLE, default 1,000. With GRAPH at most so many, the best connected."""
    tweets: int
    """TWEETS, default three a person: tweets, replies, threads and quotes together."""
    seed: int
    """SEED, default 1."""
    graph: Path | None
    """GRAPH: an edge list, one "reader author" a line, in place of a power-law graph."""
    url: str
    """URL of the running server, default the site of the run whose DATA_DIR (./data) this is, else of HOST and PORT."""

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """Raises `CannotStart` naming the variable that makes no sense."""
        people = _number(env, "PEOPLE", 1_000, at_least=2)
        return cls(
            people=people,
            tweets=_number(env, "TWEETS", 3 * people, at_least=0),
            seed=_number(env, "SEED", 1, at_least=0),
            graph=Path(env["GRAPH"]) if env.get("GRAPH") else None,
            url=env.get("URL") or _site_of_the_run(plan.Options.read(env)),
        )


class RichBar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, title: str, total: int) -> None:
        self._task = self._progress.add_task(title, total=total)

    def advance(self) -> None:
        if self._task is not None:
            self._progress.advance(self._task)


def main(env: Mapping[str, str]) -> int:
    """Returns the exit status: 0 when nothing failed."""
    console = Console()
    try:
        options = Options.read(env)
        return asyncio.run(_run(options, console))
    except* CannotStart as group:
        console.print(str(_first(group)), style="bold red", markup=False)
    except* KeyboardInterrupt:
        console.print("Stopped; run it again to go on.")
    return 1


async def _run(options: Options, console: Console) -> int:
    society = make_society(count=options.people, seed=options.seed, graph=options.graph)
    api = Api(options.url, connections=IN_FLIGHT, say=lambda line: console.print(line, style="yellow", markup=False))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    try:
        with Progress(*columns, console=console) as progress:
            demo = Demo(api, society, seed=options.seed, tweets=options.tweets, bar=RichBar(progress))
            await demo.run()
    finally:
        await api.close()
    _show(console, demo.tally, time.monotonic() - started)
    lead = demo.cast.lead if demo.cast.lead in demo.tokens else min(demo.tokens)
    _show_next(console, options.url.rstrip("/"), society.people[lead].username, demo.tokens[lead])
    return 1 if demo.tally.failed else 0


def _site_of_the_run(options: plan.Options) -> str:
    return read_addresses(options.data_dir / "run.json").get("SITE_URL") or options.url


def _show(console: Console, tally: Tally, seconds: float) -> None:
    table = Table("what", "done", "a second", "failed", title="What was done")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, took in tally.seconds.items():
        done, failed = tally.done[kind], tally.failed[kind]
        if done or failed:
            table.add_row(kind, f"{done:,}", f"{done / took:,.1f}", f"{failed:,}")
    total, failed = tally.done.total(), tally.failed.total()
    table.add_section()
    table.add_row("in all", f"{total:,}", f"{total / seconds:,.1f}", f"{failed:,}")
    console.print(table)
    for line in tally.failures:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def _show_next(console: Console, url: str, username: str, token: str) -> None:
    """Commands to try next, ready to be copied: never wrapped, never coloured."""
    frames = f'{{"type":"auth","token":"{token}"}}\\n{{"type":"subscribe","stream":"home"}}\\n'
    socket = "ws" + url.removeprefix("http")

    def read(path: str) -> str:
        return f"  curl -H 'Authorization: Bearer {token}' '{url}/api/v1/{path}'"

    lines = [
        f"\nYou are @{username} (password {PASSWORD}), who has something of everything to see.",
        f"Sign in at {url}/, or read home, notifications, requests and bookmarks:",
        *map(read, ("feed/home?limit=5", "me/notifications", "me/follow-requests", "me/bookmarks")),
        f"what is written about the {WORD}, which of who is protected those find who follow them:",
        *map(read, (f"search/tweets?q={WORD}", f"hashtags/{WORD}/tweets")),
        "Watch it live, while someone posts:",
        f"  (printf '{frames}'; cat) | .venv/bin/websockets {socket}/ws/feed",
        "Prove every home timeline right (on the machine, and with the DATA_DIR, of make run):",
        "  make manage DO=audit_timelines",
    ]
    console.print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)


def _number(env: Mapping[str, str], name: str, default: int, *, at_least: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or int(text) < at_least:
        raise CannotStart(f"{name}={text}: a whole number from {at_least:,} on.")
    return int(text)


def _first(group: BaseExceptionGroup[CannotStart]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main(os.environ))
