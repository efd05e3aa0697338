"""Running the commands of operators on timelines."""

from io import StringIO
from typing import Any

from django.core.management import call_command


def audit_timelines(*arguments: str) -> tuple[int, list[str]]:
    return _run("audit_timelines", *arguments)


def stray_keys(*arguments: str) -> tuple[int, list[str]]:
    return _run("stray_keys", *arguments)


def reconcile(*arguments: str) -> tuple[int, list[str]]:
    return _run("reconcile", *arguments)


def _run(command: str, *arguments: str) -> tuple[int, list[str]]:
    """Exit status and output lines."""
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def output_of(command: str, **options: Any) -> str:
    """What a command that ends well has written."""
    out = StringIO()
    call_command(command, **options, stdout=out, stderr=StringIO())
    return out.getvalue()
