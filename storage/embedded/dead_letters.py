"""Attempts and dead letters in SQLite."""

from collections import defaultdict
from collections.abc import Sequence

from storage.embedded.base import answering, run, writing
from storage.embedded.outbox import close_statement, reopen_statement
from storage.ids.snowflakes import MAX_ID
from storage.models import DeadLetterRow, OutboxAttempt
from storage.ports.dead_letters import Attempt, DeadLetter
from storage.ports.outbox import Order

ORDERS_AN_IN = 500
"""Below SQLite's limit of variables in a statement."""


class EmbeddedDeadLetters:
    """See `storage.ports.dead_letters.DeadLetters`."""

    def record_attempt(self, order_id: int, attempt: Attempt) -> None:
        with writing():
            OutboxAttempt.objects.update_or_create(
                order_id=order_id,
                part=attempt.part,
                slot=attempt.slot,
                defaults={"begun_us": attempt.begun_us, "error": attempt.error},
            )

    def attempts(self, order_ids: Sequence[int]) -> dict[int, list[Attempt]]:
        """Costs one statement for each ORDERS_AN_IN orders."""
        found: dict[int, list[Attempt]] = defaultdict(list)
        with answering():
            for start in range(0, len(order_ids), ORDERS_AN_IN):
                some = order_ids[start : start + ORDERS_AN_IN]
                rows = OutboxAttempt.objects.filter(order_id__in=some, begun_us__gt=0).order_by("part", "slot")
                for row in rows:
                    found[row.order_id].append(Attempt(row.part, row.slot, row.begun_us, row.error))
        return dict(found)

    def bury(self, letter: DeadLetter) -> None:
        order = letter.order
        with writing():
            DeadLetterRow.objects.update_or_create(
                id=order.id,
                defaults={
                    "kind": order.kind,
                    "args": list(order.args),
                    "error": letter.error,
                    "attempts": letter.attempts,
                    "died_us": letter.died_us,
                },
            )
            run(close_statement(order.id))

    def read(self, order_id: int) -> DeadLetter | None:
        with answering():
            row = DeadLetterRow.objects.filter(id=order_id).first()
        return _letter(row) if row is not None else None

    def page(self, *, after: int = 0, before: int = MAX_ID, newest_first: bool = False, limit: int) -> list[DeadLetter]:
        rows = DeadLetterRow.objects.filter(id__gt=after, id__lt=before)
        with answering():
            return [_letter(row) for row in rows.order_by("-id" if newest_first else "id")[:limit]]

    def count(self, *, limit: int) -> int:
        with answering():
            return DeadLetterRow.objects.all()[:limit].count()

    def replay(self, order_id: int) -> bool:
        with writing():
            row = DeadLetterRow.objects.filter(id=order_id).first()
            if row is None:
                return False
            run(reopen_statement(_letter(row).order))
            OutboxAttempt.objects.filter(order_id=order_id).delete()
            row.delete()
        return True

    def drop(self, order_id: int) -> bool:
        with writing():
            deleted, _ = DeadLetterRow.objects.filter(id=order_id).delete()
        return bool(deleted)


def _letter(row: DeadLetterRow) -> DeadLetter:
    return DeadLetter(Order(row.id, row.kind, tuple(row.args)), row.error, row.attempts, row.died_us)
