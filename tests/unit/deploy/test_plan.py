"""What `make run` reads of the environment, and the processes that it derives from it."""

import os
import stat
from pathlib import Path

import pytest

from deploy.errors import CannotStart
from deploy.plan import MALLOC, ROOT, Options, environment, kept_secret, product


def options(**variables: str) -> Options:
    return Options.read(variables)


def test_the_defaults_are_those_of_the_contract() -> None:
    read = options()
    assert (read.host, read.port, read.store) == ("127.0.0.1", 8000, "embedded")
    assert read.data_dir == Path("data").absolute()
    assert read.url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("port", ["0", "65536", "eight", "-1", "80.5"])
def test_a_port_that_is_none_is_one_sentence(port: str) -> None:
    with pytest.raises(CannotStart, match=f"PORT={port} is not a port"):
        options(PORT=port)


def test_an_unknown_store_is_one_sentence() -> None:
    with pytest.raises(CannotStart, match="STORE=oracle: must be one of embedded, cassandra"):
        options(STORE="oracle")


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.1.2.3", "10.1.2.3")])  # noqa: S104
def test_a_server_that_listens_everywhere_is_asked_on_loopback(host: str, asked: str) -> None:
    assert options(HOST=host, PORT="81").url == f"http://{asked}:81"


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    secret = kept_secret(path)
    assert len(secret) >= 40
    assert kept_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_of_which_only_a_part_was_written_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret_key.unfinished").write_text("half")
    assert len(kept_secret(tmp_path / "secret_key")) >= 40


@pytest.mark.parametrize(
    ("given", "page"),
    [
        ({}, "http://127.0.0.1:8123/confirm-email"),
        ({"EMAIL_CONFIRMATION_URL": "https://mine.example.org"}, "https://mine.example.org"),
        ({"ENVIRONMENT": "production"}, ""),
    ],
)
def test_letters_lead_to_its_own_page(tmp_path: Path, given: dict[str, str], page: str) -> None:
    read = Options.read({"DATA_DIR": str(tmp_path), "PORT": "8123"})
    assert environment(read, {**given, "SECRET_KEY": "given"})["EMAIL_CONFIRMATION_URL"] == page


def test_the_processes_get_the_whole_environment_and_a_given_secret(tmp_path: Path) -> None:
    read = options(DATA_DIR=str(tmp_path))
    env = environment(read, {"RATE_LIMITS": "off", "SECRET_KEY": "given"})
    assert env["RATE_LIMITS"] == "off"
    assert env["SECRET_KEY"] == "given"
    assert env["DATA_DIR"] == str(tmp_path)
    assert env["STORE"] == "embedded"
    assert os.listdir(tmp_path) == []


def test_what_a_password_s_hash_took_is_given_back_in_the_image_as_in_make_run(tmp_path: Path) -> None:
    read = options(DATA_DIR=str(tmp_path))
    given_back = environment(read, {"SECRET_KEY": "given"})[MALLOC]
    assert int(given_back) < 19 * 1024 * 1024, "what one hash takes"
    assert f"{MALLOC}={given_back}" in (ROOT / "deploy/Dockerfile").read_text()
    assert environment(read, {"SECRET_KEY": "given", MALLOC: "65536"})[MALLOC] == "65536"


def test_servers_whose_address_is_given_are_not_started(tmp_path: Path) -> None:
    read = options(DATA_DIR=str(tmp_path), STORE="cassandra")
    assert len(product(read, {}).backends) == 3
    given = {"CASSANDRA_HOSTS": "db", "TIMELINE_REDIS_URL": "redis://r", "BROKER_REDIS_URL": "redis://b"}
    assert product(read, given).backends == []
    assert len(product(options(DATA_DIR=str(tmp_path)), {}).backends) == 2


def test_every_database_of_the_store_is_migrated(tmp_path: Path) -> None:
    quietly = ["migrate", "--noinput", "--verbosity", "0"]
    embedded = product(options(DATA_DIR=str(tmp_path)), {}).preparations
    assert [command.argv[2:] for command in embedded] == [
        quietly,
        [*quietly, "--database", "store", "--skip-checks"],
    ]
    cassandra = product(options(DATA_DIR=str(tmp_path), STORE="cassandra"), {}).preparations
    assert [command.argv[2:] for command in cassandra] == [quietly, ["migrate_store"]]
