"""Structured log lines: readable on a terminal, one JSON object a line in production.

In JSON a line of our own is rendered and written by structlog alone, in few steps, and only those of libraries go
through the standard library's logging. The lines are the same, to the same stream, each written before its caller goes
on: so none is lost, whatever ends the process.

The line of a request is made at every one, and so has a way of its own (`write_request`), past structlog: the same line
for a third of the work, which a web process writes behind (storage/telling.py), in its place by its time and not always
by its order.

docs/logs.md lists the fields. In JSON each line has a `trace_id`, empty where nothing is traced.
"""

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TextIO

import msgspec
import structlog

from storage.masking import masked
from storage.telling import teller

REQUEST = "request"
"""The logger, and the event, of a request's line."""
SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "_granian", "granian.access")
"""Loggers that servers give handlers of their own before they load the application, whose words are not ours."""
SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(log_format: Literal["console", "json"], *further: structlog.typing.Processor) -> dict[str, object]:
    """Sets structlog up, and returns the dictConfig for the standard library's logging, rendered by structlog.

    `further` are processors of every line, which stand in a module.
    """
    if log_format == "json":
        _write_own_lines(further)
        _log_what_nobody_caught()
    else:
        _hand_own_lines_on(further)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            # By its name, since granian hands this to processes of its own.
            "structlog": {
                "()": "config.observability.logs.library_formatter",
                "log_format": log_format,
                "further": further,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structlog"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "cassandra": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # What it says of each batch that is lost config/observability/otlp.py says once.
            "opentelemetry": {"level": "CRITICAL"},
            **{name: {"handlers": [], "propagate": True} for name in SERVERS},
        },
    }


def library_formatter(
    log_format: Literal["console", "json"], further: Sequence[structlog.typing.Processor] = ()
) -> logging.Formatter:
    """Returns what renders the lines of libraries, and in the console ours as well."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*SHARED, *further, _without_passwords],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _format_exceptions,
            *_rendering(log_format),
        ],
    )


def _rendering(log_format: Literal["console", "json"]) -> list[structlog.typing.Processor]:
    if log_format == "json":
        return [_with_trace, structlog.processors.JSONRenderer(serializer=_json)]  # text, for logging's own handler
    return [structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)]


def _with_trace(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    line.setdefault("trace_id", "")
    return line


def _without_passwords(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Masks what a library says of the URLs that it was given. Our own lines name backends, and no URL."""
    line["event"] = masked(str(line["event"]))
    return line


def _traceback(exc_info: structlog.typing.ExcInfo) -> str:
    """As Python prints it, masked: its last line is in a driver's words."""
    return masked("".join(traceback.format_exception(*exc_info)).rstrip("\n"))


_format_exceptions = structlog.processors.ExceptionRenderer(_traceback)


def _log_what_nobody_caught() -> None:
    """Has warnings, and what ends a process or one of its threads, be lines like all others."""
    log = structlog.get_logger("uncaught")
    logging.captureWarnings(True)

    def of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("process_failed", exc_info=(kind, error, trace))

    def of_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            log.critical("thread_failed", exc_info=failed.exc_value)

    sys.excepthook, threading.excepthook = of_process, of_thread


def write_request(**line: object) -> None:
    """Writes the line of a request: its fields, its `request_id` with them, and what every line has."""
    _write_request(line)


def _write_by_structlog(line: dict[str, object]) -> None:
    structlog.get_logger(REQUEST).info(REQUEST, **line)


_write_request: Callable[[dict[str, object]], None] = _write_by_structlog


def _in_one_step(
    logger: "NamedWriter", further: Sequence[structlog.typing.Processor]
) -> Callable[[dict[str, object]], None]:
    """Returns what does to a request's line what `_write_own_lines` has done to each, but for writing it, which a web
    process does behind (storage/telling.py). All in it is plain."""

    def emit(line: dict[str, object]) -> None:
        logger.msg(_encoded_plain(line))

    def write(line: dict[str, object]) -> None:
        line["event"] = REQUEST
        _with_origin(logger, "info", line)
        for process in further:
            process(logger, "info", line)
        line.setdefault("trace_id", "")
        teller.tell(emit, line)

    return write


def _write_own_lines(further: Sequence[structlog.typing.Processor]) -> None:
    global _write_request
    stream = sys.stderr
    _write_request = _in_one_step(NamedWriter(stream, REQUEST), further)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _with_origin, *further, _format_exceptions, _encoded],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda name=None: NamedWriter(stream, name),
        cache_logger_on_first_use=True,
    )


def _hand_own_lines_on(further: Sequence[structlog.typing.Processor]) -> None:
    """Has the standard library's logging write them, as it writes those of libraries."""
    global _write_request
    _write_request = _write_by_structlog
    structlog.configure(
        processors=[*SHARED, *further, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class NamedWriter:
    """Writes whole lines to `file`, in one piece each; has the name that its lines tell.

    Past the text layer, whose buffer is empty whenever a line is complete.
    """

    def __init__(self, file: TextIO, name: str | None) -> None:
        self.name = name
        self._file = file.buffer

    def msg(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()

    debug = info = warning = error = critical = msg


def _with_origin(logger: NamedWriter, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What the last three of SHARED add, at once."""
    line["level"] = method
    line["logger"] = logger.name
    line["timestamp"] = _timestamp()
    return line


_second: tuple[int, str] = (0, "")
"""The second that it was, and what stands for it before the point."""


def _timestamp() -> str:
    """As an ISO date does, in a third of the time."""
    global _second
    second, us = divmod(time.time_ns() // 1_000, 1_000_000)
    known, text = _second
    if second != known:
        text = datetime.fromtimestamp(second, UTC).isoformat()[: -len("+00:00")]
        _second = (second, text)
    return f"{text}.{us:06d}Z"


PLAIN = frozenset({str, int, float, bool, type(None)})
"""What msgspec writes as the standard library does."""
_encode = msgspec.json.Encoder().encode
_encode_anything = json.JSONEncoder(default=repr).encode


def _encoded(logger: object, method: str, line: structlog.typing.EventDict) -> bytes:
    line.setdefault("trace_id", "")
    if PLAIN.issuperset(map(type, line.values())):
        return _encoded_plain(line)
    return _encode_anything(line).encode() + b"\n"


def _encoded_plain(line: structlog.typing.EventDict) -> bytes:
    with suppress(UnicodeEncodeError, OverflowError, TypeError):  # half a character, a number without end
        return _encode(line) + b"\n"
    return _encode_anything(line).encode() + b"\n"


def _json(event: dict[str, object], **_: object) -> str:
    """By an encoder that is made once."""
    return _encode_anything(event)
