"""`manage.py restore DIR`: the SQL databases as `manage.py backup` copied them."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from storage.copies import CannotCopy, put_back, read

NEXT = "Now, and before anything is started: manage.py migrate, migrate_store, empty_redis, and reconcile"


class Command(BaseCommand):
    help = (
        "Puts back what `manage.py backup` has copied to DIR, while nothing runs. Deletes nothing: a SQLite file is "
        "moved aside, and a PostgreSQL database has to be empty. A copy that is not whole is refused."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path, help="a copy")
        parser.add_argument("--dry-run", action="store_true", help="look whether the copy is whole, and change nothing")

    def handle(self, *, directory: Path, dry_run: bool, **options: object) -> None:
        databases = {alias: connections[alias].settings_dict for alias in connections}
        connections.close_all()
        try:
            manifest = read(directory)
            self.stdout.write(f"copied from {manifest.begun:%F %T} to {manifest.ended:%F %T} UTC; whole")
            if dry_run:
                return
            for file, aside in put_back(databases, directory):
                moved = "" if aside is None else f"; what stood there is {aside}"
                self.stdout.write(f"{file.alias}: put back{moved}")
        except CannotCopy as error:
            raise CommandError(str(error)) from error
        self.stdout.write(NEXT)
