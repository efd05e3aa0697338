"""The table that a run ends with."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.attack.run import Measured, percentile

COLUMNS = (
    "attack",
    "cores",
    "MB before",
    "MB more",
    "home p50",
    "home p99",
    "delivery p99",
    "failed",
    "answers",
    "held?",
)
MOST_ANSWERS = 6


def show(console: Console, measured: Sequence[Measured]) -> None:
    """Prints the quiet state, each attack beside it, and every bound that was broken."""
    table = Table(*COLUMNS)
    for column in table.columns[1:8]:
        column.justify = "right"
    for each in measured:
        table.add_row(*row(each))
    console.print(table)
    console.print(
        "cores, MB: of the product's processes. home, delivery: ms, of others; failed: of their reads and deliveries.",
        soft_wrap=True,
    )
    for each in measured:
        for fault in each.faults:
            console.print(f"BROKEN {each.name}: {fault}", markup=False, highlight=False, soft_wrap=True)


def row(measured: Measured) -> list[str]:
    felt, gauge = measured.felt, measured.gauge
    return [
        measured.name,
        f"{gauge.cores:.2f}",
        f"{gauge.before_mb:.0f}",
        f"{gauge.growth_mb:.0f}",
        f"{percentile(felt.home, 50):.0f}",
        f"{percentile(felt.home, 99):.0f}",
        f"{percentile(felt.delivery, 99):.0f}",
        str(felt.unanswered + felt.undelivered),
        answers(measured),
        "no" if measured.faults else "yes" if measured.seen else "",
    ]


def answers(measured: Measured) -> str:
    """What was answered, the most frequent first."""
    common = measured.seen.most_common(MOST_ANSWERS)
    more = len(measured.seen) - len(common)
    return ", ".join([*(f"{outcome} ×{count:,}" for outcome, count in common), *([f"{more} more"] if more else [])])
