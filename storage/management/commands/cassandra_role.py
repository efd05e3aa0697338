"""`manage.py cassandra_role`: makes the product's role in a Cassandra that has just begun to ask for passwords."""

from django.core.management.base import BaseCommand, CommandError

from storage.cassandra.roles import RoleError, make_role
from storage.errors import Unavailable


class Command(BaseCommand):
    help = "Makes the role of CASSANDRA_USER, and has the one that everybody knows log in no more. Repeatable."
    requires_system_checks = []

    def handle(self, **options: object) -> None:
        try:
            make_role(self.stdout.write)
        except (RoleError, Unavailable) as error:
            raise CommandError(str(error)) from error
