"""`manage.py audit_timelines`: are the home timelines in Redis what the store says they are?"""

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.people.selectors import count_people, find_account, people_after, sampled_people
from feed.management.progress import Progress
from feed.operations.audit import Finding, Person, Report, audit
from storage.errors import NotFound, Unavailable

PEOPLE_A_QUERY = 1_000
LINE_PEOPLE = 10_000
"""Between two lines of progress."""
CANNOT_AUDIT = 2


class Command(BaseCommand):
    help = (
        "Compares home timelines in Redis with the store, entry by entry, while traffic runs. Prints every difference; "
        "exit status 0 when there is none (or every one was repaired), 1 when there is, 2 when it could not look."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--user", nargs="+", action="extend", metavar="NAME", help="only these people")
        who.add_argument("--sample", type=_positive, metavar="N", help="only so many people, by chance")
        parser.add_argument("--repair", action="store_true", help="make wrong timelines anew, and look again")

    def handle(self, *, user: list[str] | None, sample: int | None, repair: bool, **options: object) -> None:
        report = Report()
        try:
            people, total = _people(user, sample)
            progress = Progress(sys.stderr, every=LINE_PEOPLE)
            for findings in audit(people, report, repair=repair):
                progress.clear()
                for finding in findings:
                    self._say(finding)
                progress.show(report.people, progress_line(report, total))
            progress.clear()
        except Unavailable as error:
            raise CommandError(error.message, returncode=CANNOT_AUDIT) from error
        self.stdout.write(_summary(report, repair=repair))
        if not report.clean:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        name = finding.person.username
        for each in finding.differences:
            self.stdout.write(f"@{name} {each.entry_id} {each.fault}")
        for each in finding.pending:
            self.stdout.write(f"@{name} {each.entry_id} pending: {each.fault}, its order is open")
        self.stdout.flush()


def progress_line(report: Report, total: int) -> str:
    return f"{report.people:,} of {total:,} people, {report.wrong:,} wrong"


def _people(names: Sequence[str] | None, sample: int | None) -> tuple[Iterator[Person], int]:
    """Returns whom to look at, and how many they are about. Raises `CommandError` for a name that nobody has."""
    if names is not None:
        try:
            users = [find_account(name.removeprefix("@")) for name in names]
        except NotFound as error:
            raise CommandError(f"{error.message} ({', '.join(names)})", returncode=CANNOT_AUDIT) from error
        return iter([Person(user.id, user.username) for user in users]), len(users)
    if sample is not None:
        chosen = [Person(*row) for row in sampled_people(sample)]
        return iter(chosen), len(chosen)
    return _everybody(), count_people()


def _everybody() -> Iterator[Person]:
    after = 0
    while rows := people_after(after, PEOPLE_A_QUERY):
        yield from (Person(*row) for row in rows)
        after = rows[-1][0]


def _summary(report: Report, *, repair: bool) -> str:
    repaired = f", {report.repaired:,} repaired" if repair else ""
    return (
        f"{report.people:,} people: {report.people - report.inactive:,} timelines compared, "
        f"{report.inactive:,} inactive; {report.wrong:,} wrong ({report.differences:,} differences){repaired}; "
        f"{report.pending:,} pending"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("a whole number above 0")
    return int(text)
