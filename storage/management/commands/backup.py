"""`manage.py backup DIR`: a copy of the SQL databases, taken while everything runs."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from storage.copies import CannotCopy, take


class Command(BaseCommand):
    help = (
        "Copies people's database and, with STORE=embedded, the store, into a new directory DIR, while everything "
        "runs. Cassandra is copied by its own means (docs/operations.md), before this: `make cassandra-backup`. "
        "Neither SECRET_KEY nor a password is in it. `manage.py restore DIR` puts it back."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path, help="where to; must not be there yet")

    def handle(self, *, directory: Path, **options: object) -> None:
        databases = {alias: connections[alias].settings_dict for alias in connections}
        try:
            for file in take(databases, directory):
                self.stdout.write(f"{directory / file.name}: {file.bytes:,} bytes")
                self.stdout.flush()
        except CannotCopy as error:
            raise CommandError(str(error)) from error
        self.stdout.write("SECRET_KEY is not in it: keep that elsewhere")
        if settings.STORE == "cassandra":
            self.stdout.write("Cassandra is not in it: see docs/operations.md")
