"""`manage.py migrate_store [--check]`: brings Cassandra's tables up to the code."""

import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from storage.cassandra.migrations import MigrationError, migrate, unapplied
from storage.errors import Unavailable


class Command(BaseCommand):
    help = "Applies the CQL migrations of every installed app (STORE=cassandra). Repeatable; several may run at once."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is unapplied")

    def handle(self, *, check: bool, **options: object) -> None:
        if settings.STORE == "embedded":
            self._say("nothing to do: the embedded store's tables are Django migrations")
            return
        try:
            self._check() if check else self._migrate()
        except (MigrationError, Unavailable) as error:
            raise CommandError(str(error)) from error

    def _check(self) -> None:
        pending = unapplied()
        for title in pending:
            self._say(f"unapplied: {title}")
        if pending:
            sys.exit(1)
        self._say("nothing to apply")

    def _migrate(self) -> None:
        count = migrate(self._say)
        self._say(f"applied {count}" if count else "nothing to apply")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
