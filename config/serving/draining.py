"""Whether this process is about to end, and still serves: /readyz says 503 then, so that a front stops asking it.

Of web only. A live process that is told to end listens no more, and sends its sockets away (config/http/sockets.py).
"""

import asyncio
import signal

NOTICE = signal.SIGUSR1
"""By which a process tells those that serve for it that the end is near."""


class Draining:
    """Of one process; begun once, and never over."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        self.begun = True

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins with the notice, from when this has returned."""
        loop.add_signal_handler(NOTICE, self.begin)


draining = Draining()
