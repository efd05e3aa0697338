"""`manage.py restore DIR`: the SQL databases as `manage.py backup` copied them."""

from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from storage.copies import UNFINISHED, CannotCopy, put_back, read

NEXT = "Now, before anything is started: manage.py migrate, migrate_store, empty_redis (not with make run), reconcile"


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
            for file, aside in put_back(databases, directory, unfinished=settings.DATA_DIR / UNFINISHED):
                moved = "" if aside is None else f"; what stood there is {aside}"
                self.stdout.write(f"{file.alias}: put back{moved}")
            self._move_queues_aside()
        except CannotCopy as error:
            raise CommandError(str(error)) from error
        self.stdout.write(NEXT)

    def _move_queues_aside(self) -> None:
        """What the broker of `make run` keeps is of another moment, too; its other Redis keeps nothing."""
        queues = settings.DATA_DIR / "broker"
        if not queues.is_dir():
            return
        aside = queues.with_name(f"broker.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        try:
            queues.rename(aside)
        except OSError as error:
            raise CannotCopy(f"SQL is put back, but {queues} could not be moved aside: {error}; do it") from error
        self.stdout.write(f"what the broker of `make run` held is {aside}: with `make run` there is no Redis to empty")
