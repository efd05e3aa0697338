"""Which implementation stands behind each port of this package: the one named by `STORE`."""

from functools import cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from storage.breakers import Breaker
from storage.ids.leases import WorkerLeases
from storage.ids.snowflakes import IdGenerator
from storage.ports.associations import AssociationStore
from storage.ports.dead_letters import DeadLetters
from storage.ports.idempotency import IdempotencyStore
from storage.ports.notices import Notices
from storage.ports.outbox import Outbox
from storage.ports.places import Places

ENGINES = {"embedded": "storage.embedded.base", "cassandra": "storage.cassandra.session"}
"""The module of each engine that says whether it answers."""


def implementation(paths: dict[str, str]) -> object:
    """Returns the instance of the class that `paths` names for settings.STORE (imported only now)."""
    return import_string(paths[settings.STORE])()


@cache
def associations() -> AssociationStore:
    return cast(
        AssociationStore,
        implementation(
            {
                "embedded": "storage.embedded.associations.EmbeddedAssociations",
                "cassandra": "storage.cassandra.associations.CassandraAssociations",
            }
        ),
    )


@cache
def outbox() -> Outbox:
    return cast(
        Outbox,
        implementation(
            {
                "embedded": "storage.embedded.outbox.EmbeddedOutbox",
                "cassandra": "storage.cassandra.outbox.CassandraOutbox",
            }
        ),
    )


@cache
def dead_letters() -> DeadLetters:
    return cast(
        DeadLetters,
        implementation(
            {
                "embedded": "storage.embedded.dead_letters.EmbeddedDeadLetters",
                "cassandra": "storage.cassandra.dead_letters.CassandraDeadLetters",
            }
        ),
    )


@cache
def worker_leases() -> WorkerLeases:
    return cast(
        WorkerLeases,
        implementation(
            {
                "embedded": "storage.embedded.leases.EmbeddedLeases",
                "cassandra": "storage.cassandra.leases.CassandraLeases",
            }
        ),
    )


@cache
def idempotency_keys() -> IdempotencyStore:
    return cast(
        IdempotencyStore,
        implementation(
            {
                "embedded": "storage.embedded.idempotency.EmbeddedIdempotency",
                "cassandra": "storage.cassandra.idempotency.CassandraIdempotency",
            }
        ),
    )


@cache
def notices() -> Notices:
    return cast(
        Notices,
        implementation(
            {
                "embedded": "storage.embedded.notices.EmbeddedNotices",
                "cassandra": "storage.cassandra.notices.CassandraNotices",
            }
        ),
    )


@cache
def places() -> Places:
    return cast(
        Places,
        implementation(
            {
                "embedded": "storage.embedded.places.EmbeddedPlaces",
                "cassandra": "storage.cassandra.places.CassandraPlaces",
            }
        ),
    )


def reset() -> None:
    """Forgets the instances, for tests that change settings.STORE; ids go on from where they were."""
    for port in (associations, outbox, dead_letters, worker_leases, idempotency_keys, notices, places):
        port.cache_clear()


def ping_store() -> None:
    """Makes one small read. Raises `Unavailable` unless the store answers within its own timeout."""
    import_string(f"{ENGINES[settings.STORE]}.ping")()


def store_breaker() -> Breaker:
    return cast(Breaker, import_string(f"{ENGINES[settings.STORE]}.breaker"))


ids = IdGenerator(worker_leases)
"""The process's generator; `ids.next()` is how everything gets its id."""
