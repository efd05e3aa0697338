"""Lines in production's format: of our own loggers and of libraries', alike and in one stream."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

PROGRAM = """
import logging.config
import structlog
from config.observability.logs import logging_config

logging.config.dictConfig(logging_config("json"))
log = structlog.get_logger("feed.timelines.home")
with structlog.contextvars.bound_contextvars(request_id="r1"):
    log.info("request", status=200, path="/é")
    log.debug("not for production")
    logging.getLogger("library").warning("said %s", "so")
    log.info("odd", half="\\ud83d", large=2**70, none=None)
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("failed", exc_info=error, given={1})
"""


SAYING = """
import logging.config
import structlog
from config.observability.logs import logging_config

logging.config.dictConfig(logging_config("{log_format}"))
log = structlog.get_logger("feed")
url = "redis://feed:{password}@127.0.0.1:6380/0"
logging.getLogger("celery.worker").warning("Connected to %s, still", url)
try:
    raise ValueError("no good: " + url)
except ValueError as error:
    log.exception("failed")
    logging.getLogger("library").exception("failed")
"""


REQUESTS = """
import logging.config
import structlog
from django.conf import settings
from config.observability.logs import logging_config, write_request
from storage import tracing

settings.LOGGING  # when they are read, they set logging up as well
logging.config.dictConfig(logging_config("json", tracing.log_fields))
fields = {"request_id": "r1", "method": "GET", "path": "/é", "status": 200, "ms": 0.7, "user_id": None}
with tracing.unit("GET"):
    structlog.get_logger("request").info("request", **fields)
    write_request(**fields)
"""


def test_a_request_s_line_is_as_any_other_would_be() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REQUESTS],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )
    by_structlog, in_one_step = map(json.loads, done.stderr.splitlines())
    assert in_one_step.pop("timestamp") >= by_structlog.pop("timestamp")
    assert in_one_step == by_structlog
    assert len(in_one_step["trace_id"]) == 32


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("password", ["hunter2", "hunter2/with@parts:of#urls", "%3Ahunter2%2F"])
def test_no_line_has_the_password_of_a_url(log_format: Literal["json", "console"], password: str) -> None:
    program = SAYING.format(log_format=log_format, password=password)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert "hunter2" not in done.stderr
    assert done.stderr.count("@127.0.0.1:6380/0") == 3


def test_every_line_is_an_object_with_its_level_logger_time_and_request() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    request, library, odd, failed = map(json.loads, done.stderr.splitlines())
    assert done.stdout == ""
    assert (request["event"], request["status"], request["path"], request["logger"]) == (
        "request",
        200,
        "/é",
        "feed.timelines.home",
    )
    assert (library["event"], library["level"], library["logger"]) == ("said so", "warning", "library")
    assert request["request_id"] == library["request_id"] == "r1"
    assert (odd["half"], odd["large"], odd["none"], odd["trace_id"]) == ("\ud83d", 2**70, None, "")
    assert failed["exception"].endswith("ZeroDivisionError: division by zero")
    assert failed["given"] == "{1}"
    assert all(line["timestamp"].endswith("Z") for line in (request, library, odd, failed))
