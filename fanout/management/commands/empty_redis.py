"""`manage.py empty_redis`: both sorts of Redis emptied, as after a restore of the stores behind them."""

from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanout.orders.brokers import brokers
from storage.errors import Unavailable
from storage.redis.generations import begin
from storage.redis.node import RedisNode, broker_node, timeline_node

CANNOT_EMPTY = 2


class Command(BaseCommand):
    help = (
        "Empties the timelines' Redis, each primary of a cluster, and begins a new generation there, then every "
        "broker. Nothing is lost: timelines and caches are made anew from the stores, and the sweeper sends what is "
        "open. Databases of the same servers that are none of ours are left alone."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="empty nothing; say how many keys there are")

    def handle(self, *, dry_run: bool, **options: object) -> None:
        """The timelines first: a worker that still runs finds nothing of the old moment to write beside."""
        try:
            for node in timeline_node().parts():
                self._empty("timelines", node, dry_run)
            if not dry_run:
                begin(timeline_node())
            for node in dict.fromkeys((broker_node(), *brokers())):
                self._empty("broker", node, dry_run)
        except Unavailable as error:
            raise CommandError(f"{error.message} Run it again.", returncode=CANNOT_EMPTY) from error

    def _empty(self, what: str, node: RedisNode, dry_run: bool) -> None:
        [keys] = node.round_trip(("DBSIZE",))
        if not dry_run:
            node.round_trip(("FLUSHDB", "ASYNC"))
        self.stdout.write(f"{what} at {_place(node.url)}: {keys:,} keys{'' if dry_run else ' emptied'}")


def _place(url: str) -> str:
    """Where it is, without its password."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"
