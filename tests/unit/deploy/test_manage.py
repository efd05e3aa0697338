"""A command beside a run finds the run's servers."""

import stat
from pathlib import Path

from deploy.manage import manage_environment
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
