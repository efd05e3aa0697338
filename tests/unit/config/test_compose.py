"""docker-compose.yml and the image agree with the code; no container engine is needed to know it."""

import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.http.sockets import SocketProtocol
from deploy.plan import BULK_FIRST, FANOUT_FIRST
from tests.unit.deploy.test_commands import parsed

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SERVERS = {name: service for name, service in SERVICES.items() if name != "migrate"}
BACKEND_PORTS = {"postgres": 5432, "cassandra": 9042, "timelines": 6379, "broker": 6379}


def documented_variables() -> set[str]:
    """The names that config/environment.py reads: the capital words that it passes to a call."""
    tree = ast.parse((ROOT / "config" / "environment.py").read_text())
    arguments = [argument for node in ast.walk(tree) if isinstance(node, ast.Call) for argument in node.args]
    strings = [node.value for node in arguments if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {name for name in strings if re.fullmatch(r"[A-Z][A-Z_]+", name)}


def healthcheck(service: dict[str, Any]) -> str:
    return shlex.join(service["healthcheck"]["test"])


def test_the_variables_are_those_that_the_code_reads() -> None:
    assert "SECRET_KEY" in documented_variables()
    for name, service in OURS.items():
        assert set(service["environment"]) <= documented_variables(), name
        assert service["environment"]["ENVIRONMENT"] == "production"
        assert service["environment"]["STORE"] == "cassandra"


@pytest.mark.parametrize("secret", ["SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS", "METRICS_TOKEN"])
def test_a_secret_comes_from_outside_and_its_absence_is_an_error(secret: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert f"${{{secret}:?" in text
    assert not re.search(rf"\${{?{secret}(?!:\?)\b", text)


def test_the_addresses_are_those_of_services_and_their_usual_ports() -> None:
    environment = OURS["web"]["environment"]
    addresses = re.findall(r"[@/]([a-z]+):(\d+)/", " ".join(environment.values()))
    addresses.append((environment["CASSANDRA_HOSTS"], environment["CASSANDRA_PORT"]))
    assert {host: int(port) for host, port in addresses} == BACKEND_PORTS


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        image, _, tag = service["image"].partition(":")
        assert image, name
        assert tag not in ("", "latest"), name


def test_every_service_that_stays_has_a_healthcheck() -> None:
    for name, service in SERVERS.items():
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
        assert {"interval", "timeout", "retries"} <= set(service["healthcheck"]), name


def test_services_wait_for_services_that_exist_and_say_when_they_are_ready() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            condition = "service_completed_successfully" if other == "migrate" else "service_healthy"
            assert wanted["condition"] == condition, f"{name} waits for {other}"


def test_volumes_are_declared() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_published_ports_are_on_loopback_and_are_those_listened_on_and_asked_for_health() -> None:
    for name in ("web", "live"):
        (published,) = SERVICES[name]["ports"]
        address, _, port = published.rpartition(":")
        command = SERVICES[name]["command"]
        assert address.startswith("127.0.0.1:"), name
        assert command[command.index("--port") + 1] == port
        assert f":{port}" in healthcheck(SERVICES[name])


def test_the_redis_of_timelines_keeps_nothing_and_neither_evicts() -> None:
    timelines, broker = shlex.join(SERVICES["timelines"]["command"]), shlex.join(SERVICES["broker"]["command"])
    assert "--save '' --appendonly no" in timelines
    assert "--appendonly yes" in broker
    assert "--maxmemory-policy noeviction" in timelines
    assert "--maxmemory-policy noeviction" in broker


@pytest.mark.parametrize("name", ["web", "live", "worker", "bulk-worker", "beat"])
def test_a_command_has_only_options_that_its_program_knows(name: str) -> None:
    parsed(SERVICES[name]["command"])


def test_sockets_have_the_bounds_that_they_have_in_make_run_and_what_is_half_open_ends_within_a_minute() -> None:
    options = parsed(SERVICES["live"]["command"])
    module, _, attribute = options["ws"].partition(":")
    assert getattr(importlib.import_module(module), attribute) is SocketProtocol
    assert options["ws_ping_interval"] + options["ws_ping_timeout"] < 60


@pytest.mark.parametrize("name", ["web", "live"])
def test_the_served_application_exists(name: str) -> None:
    targets = [word for word in SERVICES[name]["command"] if re.fullmatch(r"[a-z_.]+:[A-Za-z_]+", word)]
    assert targets
    for target in targets:
        module, _, attribute = target.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))


def test_the_live_server_bounds_its_connections_and_believes_no_proxy_by_itself() -> None:
    options = parsed(SERVICES["live"]["command"])
    assert (options["http"], options["proxy_headers"]) == ("config.asgi:BoundedProtocol", False)


def test_the_migrations_are_commands_that_exist() -> None:
    commands = re.findall(r"manage\.py (\w+)", shlex.join(OURS["migrate"]["command"]))
    assert commands == ["check_redis", "migrate", "migrate_store"]
    for name in ("check_redis", "migrate_store"):
        assert (ROOT / "storage" / "management" / "commands" / f"{name}.py").is_file()


@pytest.mark.parametrize(("name", "queues"), [("worker", FANOUT_FIRST), ("bulk-worker", BULK_FIRST)])
def test_the_workers_take_the_queues_in_the_orders_of_make_run(name: str, queues: str) -> None:
    """The order counts because of Celery's `queue_order_strategy`, see config/settings.py."""
    command = SERVICES[name]["command"]
    assert command[command.index("--queues") + 1] == queues


def test_the_image_holds_every_package_and_does_not_run_as_root() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\S+) \S+$", dockerfile, re.MULTILINE))
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    assert copied == {*packages, "deploy", "manage.py", "requirements.txt"}
    assert all((ROOT / path).exists() for path in copied)
    assert re.search(r"^FROM python:3\.11-slim$", dockerfile, re.MULTILINE)
    assert re.search(r"^USER feed$", dockerfile, re.MULTILINE)
    for service in OURS.values():
        assert service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"}
