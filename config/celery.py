"""The Celery app; its settings are the CELERY_ ones of settings.py."""

import os
from typing import Any

# Celery would import it when beat first looks at its schedule. A signal amid that import finds half a module:
# beat's own handler needs it, and what should have been a clean end was a traceback.
import celery.app.amqp
from celery import Celery
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import Channel, Transport

from config.observability import tasks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

RECONNECT_SECONDS = 1.0
"""At most between two tries to have the broker back. Celery's own pauses grow to 30 s, and an outage of a minute ends
with one of 14 to 16; there is no setting for them."""


class LeanChannel(Channel):
    """Keeps its client of Redis. Kombu makes one a command, of which a message takes three on its way, and each costs
    60 µs; what is kept of a connection stands in the pool, not in a client."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc] # missing from the stubs
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class LeanTransport(Transport):
    """How messages go to a broker at redis:// and rediss://, by whatever connection: kombu's pools make their own."""

    Channel = LeanChannel


TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), f"{__name__}:{LeanTransport.__name__}")


class PromptConnection(Connection):
    """Notices within RECONNECT_SECONDS that the broker is back, however long it was away."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        pauses = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": RECONNECT_SECONDS}
        return super().ensure_connection(*args, **{**pauses, **kwargs})


class PromptAMQP(celery.app.amqp.AMQP):
    """How the app, its workers and beat come by a connection."""

    Connection = BrokerConnection = PromptConnection


app = Celery("feed", amqp=PromptAMQP)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
tasks.observe()
