"""`manage.py dead_letters list|replay|drop`: orders that were given up."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from storage.errors import Unavailable
from storage.ids.snowflakes import MAX_ID, rfc3339
from storage.ports.dead_letters import DeadLetter
from storage.stores import dead_letters

MAX_LISTED = 1_000
PAGE = 200
"""Dead letters handled between two reads with --all."""
CANNOT_LOOK = 2


class Command(BaseCommand):
    help = (
        "Lists, replays or drops dead letters: orders that failed until they were given up. Exit status 0; 1 when an "
        "id that was named is no dead letter; 2 when the store does not answer."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|replay|drop")
        listing = verbs.add_parser("list", help="show them: id, kind, arguments, attempts, when given up, last error")
        listing.add_argument(
            "--limit", type=_limit, default=20, metavar="N", help=f"at most so many, up to {MAX_LISTED}"
        )
        listing.add_argument(
            "--oldest-first", action="store_true", help="by the age of their orders; newest first else"
        )
        listing.add_argument("--before", type=_id, default=MAX_ID, metavar="ID", help="only those of older orders")
        listing.add_argument("--after", type=_id, default=0, metavar="ID", help="only those of newer orders")
        for verb, does in (
            ("replay", "open their orders again, as if they had never failed; the sweeper sends them within seconds"),
            ("drop", "forget them; their orders stay undone"),
        ):
            acting = verbs.add_parser(verb, help=does, description=f"{verb.capitalize()} dead letters: {does}.")
            which = acting.add_mutually_exclusive_group(required=True)
            which.add_argument("ids", nargs="*", type=_id, default=[], metavar="ID")
            which.add_argument("--all", action="store_true", help="every one, oldest first")

    def handle(self, *, verb: str, **options: Any) -> None:
        try:
            if verb == "list":
                self._list(**{name: options[name] for name in ("limit", "oldest_first", "before", "after")})
            else:
                self._act(verb, options["ids"], every=options["all"])
        except Unavailable as error:
            raise CommandError(error.message, returncode=CANNOT_LOOK) from error

    def _list(self, *, limit: int, oldest_first: bool, before: int, after: int) -> None:
        letters = dead_letters().page(after=after, before=before, newest_first=not oldest_first, limit=limit)
        for letter in letters:
            self.stdout.write(_line(letter))
        if len(letters) == limit:
            bound = "--after" if oldest_first else "--before"
            self.stdout.write(f"there may be more: {bound} {letters[-1].order.id}")
        elif not letters:
            self.stdout.write("no dead letters")

    def _act(self, verb: str, ids: list[int], *, every: bool) -> None:
        does: Callable[[int], bool] = dead_letters().replay if verb == "replay" else dead_letters().drop
        done = missing = 0
        for order_id in _every_id() if every else ids:
            if does(order_id):
                done += 1
            elif not every:
                missing += 1
                self.stderr.write(f"{order_id} is no dead letter")
        self.stdout.write(f"{'replayed' if verb == 'replay' else 'dropped'} {done:,}")
        if missing:
            sys.exit(1)


def _every_id() -> Iterator[int]:
    """Upwards, so that one which is given up again meanwhile is not met a second time."""
    after = 0
    while letters := dead_letters().page(after=after, limit=PAGE):
        yield from (letter.order.id for letter in letters)
        after = letters[-1].order.id


def _line(letter: DeadLetter) -> str:
    order = letter.order
    died = rfc3339(datetime.fromtimestamp(letter.died_us / 1_000_000, UTC))
    args = " ".join(map(str, order.args))
    return f"{order.id}  {order.kind} {args}  {letter.attempts} attempts  {died}  {letter.error}"


def _id(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MAX_ID:
        raise ArgumentTypeError(f"{text} is not an id")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MAX_LISTED:
        raise ArgumentTypeError(f"a whole number from 1 to {MAX_LISTED}")
    return int(text)
