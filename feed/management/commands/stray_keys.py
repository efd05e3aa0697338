"""`manage.py stray_keys`: keys of the timeline Redis that nobody reads any more, or that would never end."""

import sys
import time
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feed.strays import Report, search
from storage.errors import Unavailable
from storage.redis import timeline_node

LINE_SECONDS = 0.2
"""Between two progress lines on a terminal."""
LINE_KEYS = 100_000
"""Between two progress lines anywhere else."""
CANNOT_LOOK = 2


class Command(BaseCommand):
    help = (
        "Finds keys in the timeline Redis of people who are suspended or gone, of another TIMELINE_SHARDS, and those "
        "that would never end, while traffic runs. Prints them by family; exit status 0 when there is none (or every "
        "one was removed), 1 when there is, 2 when it could not look."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="remove what is found; nobody misses it")

    def handle(self, *, remove: bool, **options: Any) -> None:
        report = Report()
        try:
            [total] = timeline_node().round_trip(("DBSIZE",))
            progress = Progress(sys.stderr, total)
            for _ in search(report, remove=remove):
                progress.show(report)
            progress.clear()
        except Unavailable as error:
            raise CommandError(error.message, returncode=CANNOT_LOOK) from error
        for (family, why), count in sorted(report.found.items()):
            self.stdout.write(f"{family}: {count:,} {why}")
        removed = f", {report.removed:,} removed" if remove else ""
        self.stdout.write(f"{report.keys:,} keys: {report.found.total():,} strays{removed}")
        if not report.clean:
            sys.exit(1)


class Progress:
    """How far the search is: one line that is written over on a terminal, else a line now and then."""

    def __init__(self, out: TextIO, total: int) -> None:
        self._out = out
        self._total = total
        self._terminal = out.isatty()
        self._next_time = 0.0
        self._next_keys = LINE_KEYS

    def show(self, report: Report) -> None:
        line = f"{report.keys:,} of about {self._total:,} keys, {report.found.total():,} strays"
        if self._terminal and time.monotonic() >= self._next_time:
            self._out.write(f"\r{line}")
            self._out.flush()
            self._next_time = time.monotonic() + LINE_SECONDS
        elif not self._terminal and report.keys >= self._next_keys:
            self._out.write(f"{line}\n")
            self._out.flush()
            self._next_keys = report.keys + LINE_KEYS

    def clear(self) -> None:
        if self._terminal:
            self._out.write("\r\x1b[K")
