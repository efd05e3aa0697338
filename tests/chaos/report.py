"""The table that a run ends with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.chaos.faults import Injected
from tests.chaos.journal import Finding
from tests.chaos.schedule import Fault
from tests.chaos.verify import Verdict


@dataclass(frozen=True, slots=True)
class Listened:
    """What came of the clients of the live feed: how many frames of each kind, and sockets that broke."""

    counts: Mapping[str, int]
    entries: int
    differences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that is told of a run."""

    injected: Sequence[Injected]
    answers: Sequence[tuple[float, bool]]
    """When each request of the clients ended, and whether it was refused."""
    findings: Sequence[Finding]
    verdict: Verdict
    actions: int
    uncertain: int
    tracebacks: dict[str, int]
    listened: Listened

    @property
    def differences(self) -> int:
        return len(self.findings) + len(self.verdict.differences) + len(self.listened.differences)


def show(console: Console, result: Result) -> None:
    table = Table("fault", "injected", "acknowledged", "refused", "recovered after, median", "at most", "differences")
    for column in table.columns[1:]:
        column.justify = "right"
    for fault in Fault:
        some = [each for each in result.injected if each.fault is fault]
        if some:
            table.add_row(
                fault, str(len(some)), *_counts(result, some), *_recoveries(result, some), _found(result, some)
            )
    table.add_section()
    refused = sum(refused for _, refused in result.answers)
    done = len(result.answers) - refused
    all_of_it = [f"{done:,}", f"{refused:,}", *_recoveries(result, result.injected), str(len(result.findings))]
    table.add_row("the whole run", str(len(result.injected)), *all_of_it)
    right = "never" if result.verdict.seconds is None else f"{result.verdict.seconds:.1f} s"
    table.add_row("in the end", "", "", "", "", right, str(len(result.verdict.differences)))
    told = f"{result.listened.counts.get('tweet', 0):,}"
    table.add_row("live clients", "", told, "", "", "", str(len(result.listened.differences)))
    console.print(table)
    _tell(console, result)


def _tell(console: Console, result: Result) -> None:
    lines = [
        f"{result.actions:,} actions, {result.uncertain} of them never answered for certain; "
        f"{result.verdict.entries:,} entries of home timelines compared, {result.verdict.groups:,} notifications and "
        f"{result.verdict.found:,} tweets that were searched for.",
        _live_line(result.listened),
        f"audit_timelines: {result.verdict.audit}",
    ]
    if result.tracebacks:
        told = ", ".join(f"{name} {count}" for name, count in result.tracebacks.items())
        lines.append(f"Stack traces in logs (no difference by themselves): {told}")
    lines += [f"DIFFERENCE {each}" for each in _shortened([finding.text for finding in result.findings])]
    lines += [f"DIFFERENCE {each}" for each in _shortened(result.verdict.differences)]
    lines += [f"DIFFERENCE {each}" for each in _shortened(result.listened.differences)]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _live_line(listened: Listened) -> str:
    counts = {kind: listened.counts.get(kind, 0) for kind in ("subscribed", "went", "broken", "tweet", "delete", "gap")}
    return (
        f"Live: {counts['subscribed']} subscriptions, {counts['went']} hung up, {counts['broken']} broken or refused, "
        f"{counts['tweet']:,} tweets, {counts['delete']} deletions and {counts['gap']} gaps told; "
        f"{listened.entries:,} entries compared."
    )


def _shortened(lines: Sequence[str], most: int = 40) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], *([f"and {more} more; see the log"] if more > 0 else [])]


def _counts(result: Result, some: Iterable[Injected]) -> tuple[str, str]:
    """Requests that ended from the beginning of one of these faults until its recovery."""
    spans = [_span(each) for each in some]
    during = [refused for at, refused in result.answers if any(begin <= at <= end for begin, end in spans)]
    return f"{during.count(False):,}", f"{during.count(True):,}"


def _found(result: Result, some: Iterable[Injected]) -> str:
    spans = [_span(each) for each in some]
    return str(sum(any(begin <= finding.time <= end for begin, end in spans) for finding in result.findings))


def _span(injected: Injected) -> tuple[float, float]:
    """Until its round had recovered or, if that was not seen, until its own return."""
    return injected.begun, injected.recovered or injected.returned or injected.begun


def _recoveries(result: Result, some: Iterable[Injected]) -> tuple[str, str]:
    """Of rounds that had recovered before the next one began; if there is none, of the others, which tell too much."""
    measured = [each for each in some if each.recovery is not None]
    undisturbed = [each for each in measured if not _disturbed(result, each)]
    seconds = [each.recovery for each in undisturbed or measured if each.recovery is not None]
    sign = "" if undisturbed else "≤ "
    return (f"{sign}{median(seconds):.1f} s", f"{sign}{max(seconds):.1f} s") if seconds else ("–", "–")


def _disturbed(result: Result, injected: Injected) -> bool:
    _, end = _span(injected)
    return any(each.injection.round > injected.injection.round and each.begun < end for each in result.injected)
