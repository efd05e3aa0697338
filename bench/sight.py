"""What logs, metrics and traces cost: the home timeline, warm, of servers that tell these and of such as tell nothing.

Ours is production's: a JSON line for each request, metrics that two processes add up in files, and traces of which 1 %
are kept and sent to a collector, which here only takes them. The reference is the same code on the same stores, with
blind_settings.py: no line is made, no metric counted, no span recorded.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from bench import home
from bench.asked import RUNS, SECONDS, WARM_SECONDS, Asked, row
from bench.results import Result, Row, at_least
from bench.stack import PRODUCT, Stack, web_command
from deploy.errors import CannotStart
from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import LOOPBACK, free_port
from deploy.supervisor.processes import last_lines, stop, wait_until

CONNECTIONS = (1, 32)
REACH = at_least(0.9)
SAMPLED = "0.01"
COUNTED = re.compile(r"^http_requests_total\{.*\} (\S+)$", re.MULTILINE)
LINE = re.compile(r'"event": ?"request"')


def measure(stack: Stack) -> Result:
    readers = home.seed()
    tokens = [reader.token for reader in readers]
    metrics = stack.directory / "metrics"
    metrics.mkdir()
    urls = [f"http://{LOOPBACK}:{free_port()}" for _ in range(2)]
    with _collector() as (collector, taken):
        seeing = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "OTEL_TRACES_SAMPLER_ARG": SAMPLED,
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }
        blind = {"DJANGO_SETTINGS_MODULE": "bench.blind_settings"}
        servers = [
            stack.start(web_command(url, PRODUCT, stack.size.web, name=name), env)
            for url, name, env in zip(urls, ("seeing", "blind"), (seeing, blind), strict=True)
        ]
        try:
            if not wait_until(lambda: all(answers_200(f"{url}/healthz") for url in urls), seconds=60):
                logs = [last_lines(stack.directory / f"{name}.log") for name in ("seeing", "blind")]
                raise CannotStart("\n".join(["The servers do not start:", *logs]))
            for url in urls:
                home.read_once(url + home.PATH, readers)
            asked = [Asked(url + home.PATH, child.pid) for url, child in zip(urls, servers, strict=True)]
            rows = [_row(asked, tokens, connections) for connections in CONNECTIONS]
            _check(urls, stack, taken)
        finally:
            stop(servers, grace_seconds=5)
    told = {
        "readers": f"{home.READERS:,} in turn, as in the home bench",
        "web": f"{stack.size.web} processes of 4 threads on each side, rate limits on",
        "traces": f"{float(SAMPLED):.0%} kept; the collector was sent {len(taken)} batches",
        "runs": f"{RUNS} of {SECONDS:.0f} s, both in turn, each after {WARM_SECONDS:.0f} s unmeasured",
    }
    return Result("sight", stack.env["STORE"], rows, told)


def _row(asked: list[Asked], tokens: list[str], connections: int) -> Row:
    seeing, blind = zip(*([each.load(tokens, connections) for each in asked] for _ in range(RUNS)), strict=True)
    case = f"{connections} connection{'s' if connections > 1 else ''}"
    return row(case, seeing, "without", blind, REACH)


def _check(urls: list[str], stack: Stack, taken: list[int]) -> None:
    """Raises `CannotStart` if one side told nothing, or the other something."""
    counted = [sum(map(float, COUNTED.findall(httpx.get(f"{url}/metrics", timeout=60).text))) for url in urls]
    lines = [len(LINE.findall((stack.directory / f"{name}.log").read_text())) for name in ("seeing", "blind")]
    if not (counted[0] and lines[0] and taken) or counted[1] or lines[1]:
        raise CannotStart(f"Requests {counted}, lines {lines}, batches of traces {len(taken)}: one told, or did not.")


@contextmanager
def _collector() -> Iterator[tuple[str, list[int]]]:
    """Takes what is sent; yields its address, and the sizes of what came."""
    taken: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
