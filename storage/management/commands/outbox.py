"""`manage.py outbox`: how much work is open, how old it is, and what was given up."""

from django.core.management.base import BaseCommand, CommandError

from storage.errors import Unavailable
from storage.ids.snowflakes import id_us, now_us
from storage.stores import dead_letters, outbox

COUNTED = 10_000
"""Counting stops here: beyond it the number does not matter."""
CANNOT_LOOK = 2


class Command(BaseCommand):
    help = (
        "Tells how many orders are open, the age of the oldest, and how many dead letters there are. "
        "Exit status 0; 2 when the store does not answer."
    )
    requires_system_checks = []

    def handle(self, **options: object) -> None:
        try:
            open_orders = outbox().count_open(limit=COUNTED)
            oldest = outbox().oldest_open()
            dead = dead_letters().count(limit=COUNTED)
        except Unavailable as error:
            raise CommandError(error.message, returncode=CANNOT_LOOK) from error
        self.stdout.write(f"open orders: {_counted(open_orders)}")
        if oldest is not None:
            self.stdout.write(f"the oldest:  {oldest}, {(now_us() - id_us(oldest)) / 1_000_000:,.1f} s old")
        self.stdout.write(f"dead letters: {_counted(dead)}" + ("; see manage.py dead_letters list" if dead else ""))


def _counted(number: int) -> str:
    return f"at least {number:,}" if number >= COUNTED else f"{number:,}"
