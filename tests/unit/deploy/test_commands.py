"""Every process of `make run` is started with options that its program knows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from celery import Celery
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker
from uvicorn.main import main as uvicorn

from config.web import options_of
from deploy.plan import Options, product

PROGRAMS: dict[str, click.Command] = {"uvicorn": uvicorn, "worker": worker, "beat": beat}


def parsed(argv: Sequence[str]) -> dict[str, Any]:
    """The options by name, as the program itself reads them; it complains of those that it does not know."""
    program, *arguments = argv
    if argv[:3] == ["python", "-m", "config.web"]:
        return vars(options_of(argv[3:]))
    if program == "celery":
        assert arguments[:2] == ["--app", "config"]
        program, *arguments = [word for word in arguments[2:] if word not in ("--quiet", "--skip-checks")]
    celery = CLIContext(app=Celery(set_as_current=False), no_color=True, workdir="", quiet=True)
    return PROGRAMS[program].make_context(program, arguments, obj=celery).params


def test_the_processes_of_make_run(tmp_path: Path) -> None:
    options = Options.read({"DATA_DIR": str(tmp_path), "PORT": "81"})
    web, *celery = product(options, {}).processes
    assert all(command.argv[1] == "-m" for command in [web, *celery])
    served = parsed(web.argv[2:])
    assert (served["app"], served["host"], served["port"]) == ("config.asgi_front:application", "127.0.0.1", 81)
    assert (served["http"], served["proxy_headers"]) == ("config.asgi_front:BoundedProtocol", False)
    assert served["ws"] == "config.http.sockets:SocketProtocol"
    assert served["ws_ping_interval"] + served["ws_ping_timeout"] < 60
    assert [command.name for command in celery] == ["worker.1", "worker.2", "beat"]
    assert parsed(celery[2].argv[2:])["scheduler"] == "celery.beat:Scheduler"
    assert [parsed(command.argv[2:]).get("queues") for command in celery] == [
        ["maintenance", "graph", "fanout", "notices", "bulk"],
        ["maintenance", "graph", "bulk", "notices", "fanout"],
        None,
    ]
