"""`manage.py empty_redis`: both sorts of Redis emptied, as after a restore of the stores behind them."""

import re
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanout.orders.brokers import brokers
from storage.errors import Unavailable
from storage.redis.generations import begin
from storage.redis.node import RedisNode, broker_node, timeline_node
from storage.redis.strangers import first_keys

CANNOT_EMPTY = 2
OF_TIMELINES = re.compile(rb"\{t[0-9/]+\}:|(stray-search|live:watermark)$")
OF_BROKERS = re.compile(
    rb"(graph|fanout|notices|bulk|maintenance|sweepers|sending-letters|unacked(_index|_mutex)?)$|(sent|tally|fanned):|_kombu\.binding\."
)
"""Beginnings of keys, as docs/data.md has them."""


class Command(BaseCommand):
    help = (
        "Empties the timelines' Redis, each primary of a cluster, and begins a new generation there, then every "
        "broker. Nothing is lost: timelines and caches are made anew from the stores, and the sweeper sends what is "
        "open. Databases of the same servers that are none of ours are left alone."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="also a database whose keys are none of ours")
        parser.add_argument("--dry-run", action="store_true", help="empty nothing; say how many keys there are")

    def handle(self, *, dry_run: bool, force: bool, **options: object) -> None:
        """The timelines first: a worker that still runs finds nothing of the old moment to write beside.

        Before anything else it looks whose they are: the first greeting of the timelines' empties a server that it
        does not know.
        """
        try:
            if not force:
                _refuse_strangers()
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


def _refuse_strangers() -> None:
    """Raises `CommandError` for a database that has keys, and among the first of them none of ours."""
    timelines = timeline_node()
    places = [(each.url, OF_TIMELINES) for each in (timelines.parts() if timelines.is_cluster else [timelines])]
    places += [(each.url, OF_BROKERS) for each in dict.fromkeys((broker_node(), *brokers()))]
    for url, ours in places:
        keys = first_keys(url)
        if keys and not any(ours.match(key) for key in keys):
            told = f"{_place(url)} has keys, {keys[0].decode(errors='replace')!r} among them, and none of ours seen."
            raise CommandError(f"{told} Nothing was emptied; --force empties it.", returncode=CANNOT_EMPTY)


def _place(url: str) -> str:
    """Where it is, without its password."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"
