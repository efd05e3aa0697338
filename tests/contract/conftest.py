"""What every contract suite starts from: one store, on each engine in turn."""

import pytest

from storage import stores
from storage.associations import AssociationStore
from storage.dead_letters import DeadLetters
from storage.idempotency import IdempotencyStore
from storage.leases import WorkerLeases
from storage.outbox import Outbox


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
