"""Sends open orders again, beside whoever else does, until it is told to end (fanout/orders/sweepers.py)."""

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fanout.orders.sweepers import Sweeper, anybody_sweeps
from storage.errors import Unavailable
from storage.exposition import serve_figures
from storage.stores import ping_store


class Command(BaseCommand):
    help = "Sweeps the outbox until SIGTERM: any number of these share it, and beat's task leaves it to them"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say whether one runs on this machine, or fail")

    def handle(self, *_: Any, check: bool, **__: Any) -> None:
        if check:
            self._check()
            return
        ended = threading.Event()

        def end(_signal: int, _frame: FrameType | None) -> None:
            ended.set()

        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, end)
        serve_figures()
        Sweeper().run(ended)

    def _check(self) -> None:
        """One that cannot be heard of, or has no store, is not at fault: none is ended with its backends."""
        try:
            if anybody_sweeps(on_this_machine=True):
                return
            ping_store()
        except Unavailable as error:
            self.stdout.write(f"Not judged: {error.message}")
            return
        raise CommandError("No sweeper of this machine was heard of lately.")
