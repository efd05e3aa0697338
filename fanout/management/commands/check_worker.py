"""Whether a worker answers: for a container's healthcheck, which must not end every worker with the broker."""

from typing import Any

from celery import current_app
from celery.exceptions import OperationalError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanout.orders.brokers import ping_all
from storage.errors import Unavailable

ANSWER_SECONDS = 10.0
"""A solo worker answers between two tasks."""


class Command(BaseCommand):
    help = "Fails if that worker does not answer, unless the broker over which it would is away"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("worker", help="its name, as --hostname has it")

    def handle(self, *_: Any, worker: str, **__: Any) -> None:
        try:
            ping_all()
            if not _answers(worker):
                # It may have gone away meanwhile.
                ping_all()
                raise CommandError(f"{worker} does not answer.")
        except Unavailable as error:
            self.stdout.write(f"Not judged: {error.message}")


def _answers(worker: str) -> bool:
    try:
        return bool(current_app.control.inspect([worker], timeout=ANSWER_SECONDS).ping())
    except (OperationalError, OSError):
        return False
