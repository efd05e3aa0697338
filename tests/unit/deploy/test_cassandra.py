"""Fetching the jars once, and saying plainly what a node lacks; no node is started here."""

import stat
import threading
from pathlib import Path

import pytest

from deploy.cassandra import __main__ as command_line
from deploy.cassandra.installation import install, jar_directory, java, why_unavailable
from deploy.cassandra.node import CassandraNode, jvm_options
from deploy.cassandra.nodes import cassandra_nodes
from deploy.errors import CannotStart

MAVEN = """#!/bin/sh
echo fetch >> "$COUNT"
for word; do case "$word" in -DoutputDirectory=*) directory="${word#*=}";; esac; done
mkdir "$directory" || exit 1
touch "$directory/first.jar"
sleep 0.3
touch "$directory/cassandra-all-5.0.6.jar"
"""


class Programs:
    """A PATH of its own, with stand-ins for java and mvn."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.count = directory / "count"
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("COUNT", str(self.count))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", f"{directory}")

    def add(self, name: str, script: str, directory: Path | None = None) -> None:
        path = (directory or self.directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def add_java(self, version: str, directory: Path | None = None) -> None:
        self.add("java", f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026' >&2\n", directory)

    def add_maven(self, script: str = MAVEN) -> None:
        self.add("mvn", script.replace("#!/bin/sh\n", "#!/bin/sh\nPATH=/usr/bin:/bin\n"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    directory = tmp_path / "programs"
    directory.mkdir()
    return Programs(directory, monkeypatch)


def test_no_java_is_one_sentence(programs: Programs) -> None:
    assert why_unavailable() == "Cassandra needs Java 17, and no `java` was found: install it or set JAVA_HOME."


@pytest.mark.parametrize(("version", "major"), [("11.0.2", 11), ("1.8.0_392", 8)])
def test_a_java_that_is_too_old_is_one_sentence(programs: Programs, version: str, major: int) -> None:
    programs.add_java(version)
    assert f"is Java {major}: install it or set JAVA_HOME." in (why_unavailable() or "")


def test_java_home_goes_first(programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add_java("11.0.2")
    programs.add_java("17.0.15", tmp_path / "home" / "bin")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert java() == str(tmp_path / "home" / "bin" / "java")


def test_maven_is_needed_only_until_the_jars_are_there(programs: Programs, tmp_path: Path) -> None:
    programs.add_java("17.0.15")
    assert "no `mvn` was found" in (why_unavailable(tmp_path) or "")
    jar_directory(tmp_path).mkdir()
    assert why_unavailable(tmp_path) is None


def test_callers_at_the_same_time_fetch_once(programs: Programs, tmp_path: Path) -> None:
    programs.add_maven()
    cache, found = tmp_path / "cache", []
    threads = [threading.Thread(target=lambda: found.append(install(cache))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [jar_directory(cache)] * 3
    assert sorted(path.name for path in found[0].iterdir()) == ["cassandra-all-5.0.6.jar", "first.jar"]
    assert programs.count.read_text() == "fetch\n"


def test_an_interrupted_fetch_is_done_again(programs: Programs, tmp_path: Path) -> None:
    programs.add_maven()
    half = jar_directory(tmp_path).with_name(jar_directory(tmp_path).name + ".unfinished")
    half.mkdir()
    (half / "half.jar").touch()
    assert not (install(tmp_path) / "half.jar").exists()


@pytest.mark.parametrize("script", ["#!/bin/sh\necho no network; exit 1\n", "#!/bin/sh\necho no network\n"])
def test_a_failed_fetch_quotes_maven_and_leaves_nothing(programs: Programs, tmp_path: Path, script: str) -> None:
    programs.add_maven(script)
    with pytest.raises(CannotStart, match=r"(?s)Maven could not fetch Cassandra's jars;.*no network"):
        install(tmp_path)
    assert not jar_directory(tmp_path).exists()


def test_a_fetch_can_be_given_up(programs: Programs, tmp_path: Path) -> None:
    def give_up() -> None:
        raise InterruptedError

    programs.add_maven("#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(InterruptedError):
        install(tmp_path, give_up)
    assert not jar_directory(tmp_path).exists()


def test_the_check_before_tests_is_loud_and_fails_in_ci(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CASSANDRA_HOSTS", raising=False)
    monkeypatch.delenv("CI", raising=False)
    assert command_line.check() == 0
    assert "*** TESTS WITH A REAL CASSANDRA ARE SKIPPED. Cassandra needs Java 17" in capsys.readouterr().err
    monkeypatch.setenv("CI", "true")
    assert command_line.check() == 1
    monkeypatch.setenv("CASSANDRA_HOSTS", "db")
    assert command_line.check() == 0


def test_the_configuration_is_filled_in_for_one_node(tmp_path: Path) -> None:
    node = CassandraNode(tmp_path, port=9999, commitlog_sync="batch")
    node.write_configuration()
    text = (tmp_path / "cassandra.yaml").read_text()
    assert "native_transport_port: 9999" in text
    assert "commitlog_sync: batch" in text
    assert f'commitlog_directory: "{tmp_path}/commitlog"' in text
    assert "$" not in "".join(line for line in text.splitlines() if not line.startswith("#"))


def test_several_nodes_are_one_cluster(tmp_path: Path) -> None:
    nodes = cassandra_nodes(tmp_path, 3, heap_mb=256)
    for node in nodes:
        node.data_dir.mkdir(parents=True)
        node.write_configuration()
    texts = [(node.data_dir / "cassandra.yaml").read_text() for node in nodes]
    assert [node.host for node in nodes] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert len({node.port for node in nodes}) == 1
    seeds = [[line for line in text.splitlines() if "seeds:" in line] for text in texts]
    assert seeds[0] == seeds[1] == seeds[2]
    assert [f"listen_address: {node.host}" in text for node, text in zip(nodes, texts, strict=True)] == [True] * 3
    assert ["auto_bootstrap: true" in text for text in texts] == [True, False, False]


def test_every_line_of_the_options_is_one_argument() -> None:
    assert all(option.startswith("-") and " " not in option for option in jvm_options())
