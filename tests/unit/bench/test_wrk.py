"""Reading what wrk prints."""

import shutil
from pathlib import Path

import pytest

from bench import wrk as wrk_module
from bench.wrk import Load, read, wrk
from deploy.errors import CannotStart

WELL = """\
Running 8s test @ http://127.0.0.1:8000/api/v1/feed/home
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    13.21ms    2.10ms  40.21ms   80.50%
    Req/Sec     1.20k   200.00     1.60k    70.99%
  Latency Distribution
     50%  941.00us
     75%   16.00ms
     90%   17.80ms
     99%   24.40ms
  19262 requests in 8.01s, 230.00MB read
Requests/sec:   2404.55
Transfer/sec:     28.71MB
"""
WITH_ERRORS = WELL.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\nRequests/sec",
)


def test_rate_and_latencies_are_read_in_whatever_unit() -> None:
    assert read(WELL) == Load(per_second=2404.55, p50_ms=0.941, p99_ms=24.4, errors=0)
    assert read(WELL.replace("24.40ms", "1.25s")).p99_ms == 1_250
    assert read(WELL.replace("24.40ms", "1.50m")).p99_ms == 90_000


def test_answers_that_were_refused_and_connections_that_failed_are_errors() -> None:
    assert read(WITH_ERRORS).errors == 54_321
    only_refused = "\n".join(line for line in WITH_ERRORS.splitlines() if "Socket" not in line)
    assert read(only_refused).errors == 50_000


@pytest.mark.parametrize("missing", ["Requests/sec", "50%  ", "99%  "])
def test_output_of_another_kind_is_said(missing: str) -> None:
    with pytest.raises(CannotStart, match="something else than expected"):
        read(WELL.replace(missing, "?"))


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotStart, match="apt-get install wrk"):
        wrk("http://127.0.0.1:1/", connections=1, seconds=1)


def test_that_wrk_failed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "wrk"
    program.write_text("#!/bin/sh\necho 'unable to connect' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(wrk_module, "_program", lambda: str(program))
    with pytest.raises(CannotStart, match="unable to connect"):
        wrk("http://127.0.0.1:1/", connections=1, seconds=1)


def test_wrk_is_told_size_headers_whose_tokens_and_what_bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are gone afterwards, so the program copies them while it runs."""
    program = tmp_path / "wrk"
    keep = f'cp "$file" {tmp_path}/tokens\ncp "$last" {tmp_path}/bodies\necho "$@" > {tmp_path}/argv\n'
    last_two = "for last; do file=$before; before=$last; done\n"
    program.write_text(f"#!/bin/sh\n{last_two}{keep}cat <<'END'\n{WELL}END\n")
    program.chmod(0o755)
    monkeypatch.setattr(wrk_module, "_program", lambda: str(program))
    wrk(
        "http://127.0.0.1:1/",
        connections=32,
        seconds=8,
        tokens=["ada", "bob"],
        bodies=["{}"],
        headers={"Accept": "json"},
    )
    argv = (tmp_path / "argv").read_text()
    assert "-t 2 -c 32 -d 8s --latency" in argv
    assert "-H Accept: json" in argv
    assert "rotate.lua http://127.0.0.1:1/" in argv
    assert (tmp_path / "tokens").read_text() == "ada\nbob"
    assert (tmp_path / "bodies").read_text() == "{}"
