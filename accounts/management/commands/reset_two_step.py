"""`manage.py reset_two_step NAME`: somebody of staff sets their second step up anew with their next sign-in."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.people.selectors import find_user
from accounts.sessions import two_step
from storage.errors import NotFound, Unavailable


class Command(BaseCommand):
    help = "Forgets somebody's authenticator and recovery codes, and signs them out everywhere. The log of staff tells."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="by the command line")

    def handle(self, *, username: str, reason: str, **_: Any) -> None:
        try:
            two_step.reset(find_user(username), by=None, reason=reason)
        except (NotFound, Unavailable) as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"@{username} sets it up anew with the next sign-in")
