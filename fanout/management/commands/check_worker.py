"""Whether a worker answers: for a container's healthcheck, which must not end every worker with the broker."""

from typing import Any

from celery import Celery, current_app
from celery.exceptions import OperationalError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis.exceptions import RedisError

from storage.errors import Unavailable
from storage.redis.node import RedisNode, broker_node

ANSWER_SECONDS = 10.0
"""A solo worker answers between two tasks."""


class Command(BaseCommand):
    help = "Fails if that worker does not answer, unless the broker over which it would is away"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("worker", help="its name, as --hostname has it")
        parser.add_argument("--broker", help="the broker's address, if Celery was given it as this option")

    def handle(self, *_: Any, worker: str, broker: str | None = None, **__: Any) -> None:
        try:
            _ping(broker)
            if not _answers(worker, broker):
                # It may have gone away meanwhile.
                _ping(broker)
                raise CommandError(f"{worker} does not answer.")
        except Unavailable as error:
            self.stdout.write(f"Not judged: {error.message}")


def _ping(broker: str | None) -> None:
    """Raises `Unavailable` unless that broker answers. Those of other groups are no matter of this worker."""
    (broker_node() if broker is None else RedisNode("redis_broker", broker)).ping()


def _app(broker: str | None) -> Celery:
    """Returns one that speaks over that broker. Its connection alone would not do: Celery publishes by its own pool."""
    if broker is None:
        return current_app
    app = Celery(broker=broker, set_as_current=False)
    app.conf.broker_transport_options = current_app.conf.broker_transport_options
    return app


def _answers(worker: str, broker: str | None) -> bool:
    try:
        return bool(_app(broker).control.inspect([worker], timeout=ANSWER_SECONDS).ping())
    except (OperationalError, OSError, RedisError):
        return False
