"""`manage.py migrate`: Django's, after which PostgreSQL bounds what a statement of the role may take."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from storage.postgresql.base import STATEMENT_SECONDS, bound_statements


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Does as Django's; connections that are open already are not bound, so this one is closed."""
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
