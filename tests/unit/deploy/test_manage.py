"""A command beside a run finds the run's servers."""

import stat
from pathlib import Path

import pytest

from deploy.errors import CannotStart
from deploy.manage import NOWHERE, manage_environment, refuse_without_redis
from deploy.supervisor.records import Records, read_addresses


def test_the_addresses_of_a_run_are_taken_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    records = Records(tmp_path / "run.json")
    records.note_addresses({"STORE": "cassandra", "TIMELINE_REDIS_URL": "redis://a", "BROKER_REDIS_URL": "redis://b"})
    found = manage_environment({"DATA_DIR": str(tmp_path), "BROKER_REDIS_URL": "redis://mine", "STORE": ""})
    assert (found["STORE"], found["TIMELINE_REDIS_URL"]) == ("cassandra", "redis://a")
    assert found["BROKER_REDIS_URL"] == "redis://mine"
    assert found["SECRET_KEY"] == (tmp_path / "secret_key").read_text()


def test_only_its_owner_may_read_what_a_run_notes(tmp_path: Path) -> None:
    Records(tmp_path / "run.json").note_addresses({"BROKER_REDIS_URL": "redis://:secret@mine"})
    assert stat.S_IMODE((tmp_path / "addresses.json").stat().st_mode) == 0o600


def test_a_run_that_has_ended_leaves_no_addresses(tmp_path: Path) -> None:
    records = Records(tmp_path / "run.json")
    records.note_addresses({"STORE": "cassandra"})
    records.clear()
    assert read_addresses(tmp_path / "run.json") == {}
    assert manage_environment({"DATA_DIR": str(tmp_path)})["STORE"] == "embedded"


def test_without_a_run_nobody_else_s_redis_is_met(tmp_path: Path) -> None:
    found = manage_environment({"DATA_DIR": str(tmp_path)})
    assert {name: found[name] for name in NOWHERE} == NOWHERE
    refuse_without_redis(["migrate"], found)
    with pytest.raises(CannotStart, match="TIMELINE_REDIS_URL is not given"):
        refuse_without_redis(["empty_redis", "--dry-run"], found)
    given = {"TIMELINE_REDIS_URL": "redis://mine/0", "BROKER_REDIS_URL": "redis://mine/1"}
    refuse_without_redis(["empty_redis"], manage_environment({"DATA_DIR": str(tmp_path)} | given))
