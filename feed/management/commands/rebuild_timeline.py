"""`manage.py rebuild_timeline`: makes home timelines anew from the store."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.people.selectors import find_account
from feed.timelines.rebuild import make_anew
from storage.errors import NotFound, Unavailable

CANNOT_REBUILD = 2


class Command(BaseCommand):
    help = (
        "Ends these people's home timelines in Redis and makes them anew from the store; they count as active from "
        "now on. Exit status 0 when all were made, 1 when one was overtaken again and again, 2 when it could not."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", nargs="+", action="extend", required=True, metavar="NAME", help="whose")

    def handle(self, *, user: list[str], **options: object) -> None:
        overtaken = []
        try:
            for person in [find_account(name.removeprefix("@")) for name in user]:
                made = make_anew(person.id)
                self.stdout.write(f"@{person.username}: {'made anew' if made else 'overtaken; try again'}")
                overtaken += [] if made else [person.username]
        except (NotFound, Unavailable) as error:
            raise CommandError(error.message, returncode=CANNOT_REBUILD) from error
        if overtaken:
            raise CommandError(f"Not made: {', '.join(overtaken)}.", returncode=1)
