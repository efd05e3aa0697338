"""`manage.py migrate`: Django's, after which PostgreSQL bounds what a statement of the role may take."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import connections

from storage.copies import UNFINISHED
from storage.postgresql.base import STATEMENT_SECONDS, bound_statements


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Does as Django's; connections that are open already are not bound, so this one is closed.

        Refuses databases that a restore has left half way, and so does `make run`, which begins with it.
        """
        if (unfinished := settings.DATA_DIR / UNFINISHED).exists():
            raise CommandError(f"A restore was broken off: run it again, to its end. {unfinished} says so.")
        super().handle(*args, **options)
        connection = connections[options["database"]]
        if connection.vendor != "postgresql" or options["plan"] or options["check_unapplied"]:
            return
        with connection.cursor() as cursor:
            role = bound_statements(cursor)
        if role is not None:
            connection.close()
            if options["verbosity"]:
                self.stdout.write(f"PostgreSQL bounds statements of {role} to {STATEMENT_SECONDS} s from now on")
