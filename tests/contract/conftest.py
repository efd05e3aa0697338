"""What every contract suite starts from: one store, on each engine in turn."""

import pytest

from storage import stores
from storage.ids.leases import WorkerLeases
from storage.ports.associations import AssociationStore
from storage.ports.dead_letters import DeadLetters
from storage.ports.idempotency import IdempotencyStore
from storage.ports.outbox import Outbox


@pytest.fixture
def associations(store: str) -> AssociationStore:
    return stores.associations()


@pytest.fixture
def outbox(empty_outbox: None) -> Outbox:
    return stores.outbox()


@pytest.fixture
def letters(empty_outbox: None) -> DeadLetters:
    return stores.dead_letters()


@pytest.fixture
def leases(store: str) -> WorkerLeases:
    return stores.worker_leases()


@pytest.fixture
def keys(store: str) -> IdempotencyStore:
    return stores.idempotency_keys()
