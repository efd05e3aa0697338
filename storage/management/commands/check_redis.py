"""`manage.py check_redis`: whether what answers at the addresses of Redis is what they say."""

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from storage.redis.cluster_urls import is_of_a_cluster, seeds


class Command(BaseCommand):
    help = (
        "Asks the servers that the addresses of Redis name, and refuses a cluster of which nobody answers, one server "
        "that is a cluster's node, and a cluster that is one server. Changes nothing; run it before anything starts. "
        "A process itself starts without Redis, since posting and reading work without."
    )
    requires_system_checks = []

    def handle(self, **options: object) -> None:
        for name, url in _urls():
            if fault := _fault_of_cluster(url) if is_of_a_cluster(url) else _fault_of_server(url):
                raise CommandError(f"{name} {fault}")
            self.stdout.write(f"{name.rstrip(',')}: ok")


def _urls() -> list[tuple[str, str]]:
    """Each address with its setting; of the brokers of groups each with its number, and not its password."""
    groups = enumerate(settings.FANOUT_BROKER_URLS, start=1)
    return [
        ("TIMELINE_REDIS_URL", settings.TIMELINE_REDIS_URL),
        ("BROKER_REDIS_URL", settings.BROKER_REDIS_URL),
        *((f"FANOUT_BROKER_URLS, number {number},", url) for number, url in groups),
    ]


def _fault_of_server(url: str) -> str | None:
    """What is wrong; nothing while it does not answer, as it may come yet."""
    if _is_in_cluster_mode(url):
        return "names a node of a cluster as if it stood alone: the scheme is redis+cluster://"
    return None


def _fault_of_cluster(url: str) -> str | None:
    answers = [_is_in_cluster_mode(each) for each in seeds(url)]
    if False in answers:
        return "names a server that stands alone as one of a cluster: the scheme is redis://"
    return None if True in answers else "names a cluster of which no node answers"


def _is_in_cluster_mode(url: str) -> bool | None:
    """Whether the server is a cluster's node; None if it does not answer."""
    try:
        with redis.Redis.from_url(
            url,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        ) as client:
            return bool(client.info("cluster")["cluster_enabled"])
    except (redis.RedisError, OSError):
        return None
