"""`manage.py reconcile`: SQL and the store made to agree, after they were restored from different moments."""

import sys
from collections import Counter

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.sessions.ending_all import end_everybodys
from feed.management.progress import Progress as Line
from feed.operations.reconcile import Doubtful, Progress, look_whether_they_belong_together, reconcile
from storage.errors import Unavailable

LINE_LOOKED_AT = 10_000
"""Between two lines of progress."""
CANNOT_LOOK = 2


class Command(BaseCommand):
    help = (
        "Makes the database of people and the store agree after a restore, and prints what was lost, a line each. "
        "Deletes nothing: an account that only the store knows gets one that stands in for it, suspended; an order "
        "about a tweet that is gone is closed. May be run again. Exit status 0; 1 when something is left for staff "
        "to see to, or, with --dry-run, was found at all; 2 when it could not look."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing; print what would be")

        parser.add_argument(
            "--end-sessions",
            action="store_true",
            help="before it, sign everybody out of the API and the admin: an earlier SQL brings back what had ended",
        )
        parser.add_argument(
            "--yes-that-many",
            action="store_true",
            help="go on where SQL knows nobody, or few of the people in the store; else it stops there",
        )

    def handle(self, *, dry_run: bool, yes_that_many: bool, end_sessions: bool, **options: object) -> None:
        try:
            if not yes_that_many:
                look_whether_they_belong_together()
            if end_sessions and not dry_run:
                self.stdout.write(f"{end_everybodys():,} people are signed out")
            self._reconcile(dry_run)
        except Doubtful as error:
            told = f"{error}. Is it the right one? Nothing was changed; --yes-that-many goes on all the same."
            raise CommandError(told, returncode=CANNOT_LOOK) from error
        except Unavailable as error:
            raise CommandError(error.message, returncode=CANNOT_LOOK) from error
        except Exception as error:
            told = f"Broken off by {type(error).__name__}: {error}. What was printed is done; run it again."
            raise CommandError(told, returncode=CANNOT_LOOK) from error

    def _reconcile(self, dry_run: bool) -> None:
        progress, line, found = Progress(), Line(sys.stderr, every=LINE_LOOKED_AT), Counter[str]()
        left = 0
        for findings in reconcile(progress, dry_run=dry_run):
            line.clear()
            for finding in findings:
                self.stdout.write(str(finding))
                found[finding.sort] += 1
                left += dry_run or not finding.mended
            line.show(progress.looked_at, f"{progress.stage}: {progress.looked_at:,} looked at")
        line.clear()
        self.stdout.write(_summary(found, left, dry_run))
        if left:
            sys.exit(1)


def _summary(found: Counter[str], left: int, dry_run: bool) -> str:
    if not found:
        return "nothing was lost"
    told = ", ".join(f"{number:,} of sort {sort}" for sort, number in sorted(found.items()))
    return f"{told}; nothing was changed" if dry_run else f"{told}; {left:,} left to see to"
