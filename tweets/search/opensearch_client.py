"""One process's connections to OpenSearch: opened on first use, thread-safe, new in a forked child.

Whoever asks sees an answer, `Missing` or `Unavailable("search")`; no error of the library leaves this module. What is
logged of an error is what the library or the node calls it, never a query or a text.

Of several nodes those are asked in turn that have answered. One that does not is left alone for DEAD_SECONDS; what it
did not take at all is asked once more, of another one, within the same time. What it took without answering is not,
since there is no time left.

A query that takes too long is one that a node may not interrupt, and ends without a word. So whoever has waited in vain
asks, in the last PING_SECONDS of the time, whether anybody is there: if so, it was late, and not silent.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from opensearchpy import (
    AuthenticationException,
    AuthorizationException,
    ConnectionError,  # noqa: A004 - no module of ours asks for the built-in one
    ConnectionTimeout,
    NotFoundError,
    OpenSearch,
    OpenSearchException,
    TransportError,
)
from urllib3 import Timeout

from storage.errors import Unavailable
from storage.process import start_anew_after_fork
from tweets.search.addresses import Address
from tweets.search.port import BACKEND, HANGS_SECONDS, Answered, Hurried, Late

CONNECT_SECONDS = 0.5
"""On a network of one place a node that is there answers within milliseconds."""
CONNECTIONS = 16
"""Kept open to a node. No process has more threads that search at a time; of more, the rest are closed again."""
PING_SECONDS = 0.2
"""Of a call's time, for the question whether anybody is there. It is answered by any node, at once, and touches neither
index nor the threads that search."""
DEAD_SECONDS = 5.0
OVERLOADED = (429, 503)
"""By these a node says that it has too much to do, or not all it needs."""
GATEWAYS = (502, 504)
"""Said by what stands before a cluster that is silent."""

T = TypeVar("T")
Call = Callable[[OpenSearch, Timeout], T]
"""Asks for one thing, within the time."""

log = structlog.get_logger(__name__)
# It tells every query, and each failure with a stack trace; what is to be said of one is said here.
# (`disabled` would be undone by whoever configures logging anew.)
for name in ("opensearch", "opensearchpy.trace"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger(name).addFilter(lambda _: False)


class Missing(Exception):
    """There is no index of that name."""


class OpenSearchClient:
    """The cluster at an address. Nothing is opened before something is asked."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._open: OpenSearch | None = None
        self._inherited: list[OpenSearch] = []
        """A parent's, kept from being finalised in a child: that takes locks which nobody there may hold any more."""
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leaves a parent's connections alone; the next call opens others."""
        if self._open is not None:
            self._inherited.append(self._open)
        self._open = None
        self._lock = threading.Lock()

    def ask(self, call: Call[T], *, until: float) -> T:
        """Returns what `call` answers, by `until` on the monotonic clock. Raises `Missing`; `Answered` or `Late` for an
        error that the cluster has answered with, or where it answered a ping meanwhile, else `Unavailable`."""
        had = until - time.monotonic()
        spare = PING_SECONDS if had >= HANGS_SECONDS else 0.0
        try:
            return self._twice(call, until - spare)
        except NotFoundError as error:
            raise Missing from error
        except (AuthenticationException, AuthorizationException) as error:
            log.error("search_refuses_us", error=_named(error))
            raise Answered from error
        except ConnectionTimeout as error:
            log.warning("search_does_not_answer", error=_named(error))
            raise (self._silent_or_late() if spare else Hurried()) from error
        except (OpenSearchException, OSError) as error:
            log.warning("search_does_not_answer", error=_named(error))
            raise _meant(error) from error

    def _twice(self, call: Call[T], until: float) -> T:
        """Once more if it was not taken at all."""
        try:
            return call(self._opened(), _time_until(until))
        except ConnectionError as error:
            if isinstance(error, ConnectionTimeout):
                raise
        return call(self._opened(), _time_until(until))

    def _silent_or_late(self) -> Unavailable:
        """What it says of the cluster that a call was not answered: whether a ping is, with whatever."""
        try:
            self._opened().info(request_timeout=_time_until(time.monotonic() + PING_SECONDS))
        except (OpenSearchException, OSError) as error:
            return Late() if isinstance(_meant(error), Answered) else Unavailable(BACKEND)
        return Late()

    def _opened(self) -> OpenSearch:
        opened = self._open
        if opened is not None:
            return opened
        with self._lock:
            if self._open is None:
                self._open = _connect(self._address)
            return self._open


def _connect(address: Address) -> OpenSearch:
    """Opens no connection yet."""
    return OpenSearch(
        hosts=[{"host": host, "port": port} for host, port in address.hosts],
        http_auth=(address.user, address.password) if address.user else None,
        pool_maxsize=CONNECTIONS,
        max_retries=0,
        # Not again, but a node that did not answer is left alone.
        retry_on_timeout=True,
        dead_timeout=DEAD_SECONDS,
        timeout_cutoff=0,
        use_ssl=address.tls,
        verify_certs=True,
        ca_certs=address.ca or None,
    )


def _time_until(ends: float) -> Timeout:
    left = ends - time.monotonic()
    if left <= 0:
        raise ConnectionTimeout("TIMEOUT", "no time is left", None)
    return Timeout(connect=min(CONNECT_SECONDS, left), total=left)


def _meant(error: Exception) -> Unavailable:
    """What an error says of the cluster."""
    status = error.status_code if isinstance(error, TransportError) else None
    if not isinstance(status, int) or status in GATEWAYS:
        return Unavailable(BACKEND)
    return Late() if status in OVERLOADED else Answered()


def _named(error: Exception) -> str:
    """What kind of error it is: of a node's answer its status and type, of a connection's what the socket said."""
    if isinstance(error, TransportError):
        return f"{type(error).__name__} {error.status_code} {error.error}"[:300]
    return type(error).__name__
