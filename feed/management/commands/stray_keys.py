"""`manage.py stray_keys`: keys of the timeline Redis that nobody reads any more, or that would never end."""

import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feed.management.progress import Progress
from feed.operations.strays import Report, search
from storage.errors import Unavailable
from storage.redis.node import timeline_node

LINE_KEYS = 100_000
"""Between two lines of progress."""
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

    def handle(self, *, remove: bool, **options: object) -> None:
        report = Report()
        try:
            total = sum(part.round_trip(("DBSIZE",))[0] for part in timeline_node().parts())
            progress = Progress(sys.stderr, every=LINE_KEYS)
            for _ in search(report, remove=remove):
                progress.show(report.keys, progress_line(report, total))
            progress.clear()
        except Unavailable as error:
            raise CommandError(error.message, returncode=CANNOT_LOOK) from error
        for (family, why), count in sorted(report.found.items()):
            self.stdout.write(f"{family}: {count:,} {why}")
        removed = f", {report.removed:,} removed" if remove else ""
        self.stdout.write(f"{report.keys:,} keys: {report.found.total():,} strays{removed}")
        if not report.clean:
            sys.exit(1)


def progress_line(report: Report, total: int) -> str:
    return f"{report.keys:,} of about {total:,} keys, {report.found.total():,} strays"
