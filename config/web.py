"""Production's web server, `python -m config.web config.wsgi:application`: granian, with threads that no body takes.

Granian serves WSGI with a thread for each request from the moment its header is there, which a client that sends
half a body holds for as long as it likes; and no field's own spelling is to be known. Through granian's other
interface, RSGI, a body can be waited for in an event loop, but each request costs 60 µs more. So the worker below is
granian's worker for RSGI, given a scheduler that calls config/serving/wsgi.py in granian's threads.

Told to end (SIGTERM), it says so at /readyz for DRAIN_SECONDS and goes on serving; then nobody is listened to, what was
begun is answered, within KILL_SECONDS, and it ends.
"""

import argparse
import asyncio
import gc
import os
import pkgutil
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from granian._granian import CallbackScheduler, RSGIWorker
from granian._signals import set_loop_signals
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.common import WORKERS_METHODS
from granian.server.mp import MPServer, WorkerProcess

from config.environment_checks import environment_or_end
from config.observability.logs import logging_config
from config.serving.draining import NOTICE, draining
from storage.telling import teller

HEADER_MS = 10_000
"""Until a header is there, from the connection or from the last answer: a proxy keeps idle connections for less."""
HEADER_BYTES = 64 * 1024
CONNECTIONS = min(2_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
"""Of one worker; more wait to be accepted."""
KILL_SECONDS = 10
"""After which a worker that was told to end, and still waits for a client, is ended."""
LOOK_SECONDS = 0.05
"""Between two looks whether the workers serve on: whoever was signalled with its whole group has nobody to wait for."""
NOTICE_SECONDS = 0.5
"""Between two notices: one that was starting still has missed those before."""
GATEWAY, ROUTES = "config.serving.wsgi:Gateway", "config.urls:urlpatterns"
"""By their names, since they are loaded in a worker, after the application has set Django up."""


granians_worker, loop_signals, in_process = (cast(Any, each) for each in (RSGIWorker, set_loop_signals, WorkerProcess))
"""Which granian has no true types for."""


class Scheduler(CallbackScheduler):
    """Calls `serve` with each request, in the thread of granian's that has it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, serve: Callable[[Any], None], *_: None) -> None:
        super().__init__()
        self._schedule_fn = serve


class Server(MPServer):
    """Granian's, which gives notice before it ends."""

    def __init__(self, *arguments: Any, drain_seconds: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._drain_seconds = drain_seconds

    def _stop_workers(self) -> None:
        now = noticed = time.monotonic()
        ends = now + self._drain_seconds
        while now < ends and all(map(self._serves, self.wrks)):
            if now >= noticed:
                self._give_notice()
                noticed = now + NOTICE_SECONDS
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
        cast(Any, super())._stop_workers()

    def _give_notice(self) -> None:
        for worker in filter(self._serves, self.wrks):
            with suppress(ProcessLookupError):  # it has ended in between
                os.kill(worker.inner.pid, NOTICE)

    @staticmethod
    def _serves(worker: Any) -> bool:
        return bool(worker.is_alive())


def worker_of(threads: int) -> Callable[..., None]:
    """Returns what runs in a worker until it is told to end: granian's own for RSGI, but for scheduler and threads."""

    def worker(number: int, application: Callable[..., Any], sock: Any, ipc: Any, *options: Any) -> None:
        loop, mode, runtime, blocking, _one, idle, connections, _task, *http, _log, tls, _scope, metrics = options
        gateway = pkgutil.resolve_name(GATEWAY)(application, loop, threads)
        leave_alone_what_is_loaded()
        ending, ended = loop_signals(loop), asyncio.Event()
        draining.listen(loop)
        teller.begin()
        ending.add_cb(lambda: loop.call_soon_threadsafe(ended.set))
        server = granians_worker(number, sock, ipc, runtime, blocking, threads, idle, connections, *http, *tls, metrics)
        serve = getattr(server, WORKERS_METHODS[mode][False])
        serve(Scheduler(loop, gateway.serve, None, None, None), loop, ending)
        loop.run_until_complete(ended.wait())
        teller.end()

    return cast(Callable[..., None], in_process.wrap_target(worker))


def leave_alone_what_is_loaded() -> None:
    """Spares the collector looking through what lives as long as the process: modules, models, and the views, which are
    loaded for it. They are 150,000 objects, and cost 50 ms a time."""
    pkgutil.resolve_name(ROUTES)
    gc.collect()
    gc.freeze()


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns what the command line says."""
    parser = argparse.ArgumentParser("python -m config.web", description=__doc__)
    parser.add_argument("application", help="a WSGI application of this project's, as module:name")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--threads", type=int, default=4, help="of each process, and as many again for writes")
    parser.add_argument("--log-level", choices=[level.value for level in LogLevels], default="warning")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Serves until it is told to end. A worker that dies is replaced."""
    options = options_of(arguments)
    # Workers inherit that: one that is starting still would be ended by a notice, and the others' draining with it.
    signal.signal(NOTICE, signal.SIG_IGN)
    server = Server(
        options.application,
        address=options.host,
        port=options.port,
        interface=Interfaces.RSGI,
        workers=options.workers,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS, max_buffer_size=HEADER_BYTES),
        log_level=LogLevels(options.log_level),
        log_dictconfig=logging_config(environment_or_end().log_format),
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
        drain_seconds=environment_or_end().drain_seconds,
    )
    server.serve(spawn_target=worker_of(options.threads))


if __name__ == "__main__":
    main(sys.argv[1:])
