"""The product's role in a Cassandra that asks for passwords, and TLS to it. `make production` has one that asks."""

import ssl

import certifi
import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from storage.cassandra import roles
from storage.cassandra.cluster import open_cluster

FIRST = ("cassandra", "cassandra")


class Cluster:
    """As a cluster does: it lets in who is known, and carries out two kinds of statement."""

    def __init__(self, *known: tuple[str, str]) -> None:
        self.known = set(known)
        self.statements: list[str] = []

    def lets_in(self, user: str, password: str, statement: str = "") -> bool:
        if (user, password) not in self.known:
            return False
        if statement:
            self.statements.append(statement)
        if statement.startswith("CREATE ROLE"):
            self.known.add(("feed", "it's secret"))
        if statement == roles.CLOSE:
            assert user == "feed"
            self.known.remove(FIRST)
        return True


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Cluster:
    settings.CASSANDRA_USER, settings.CASSANDRA_PASSWORD = "feed", "it's secret"
    monkeypatch.setattr(roles, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(roles, "FIRST_SECONDS", 0.0)
    new = Cluster(FIRST)
    monkeypatch.setattr(roles, "_lets_in", new.lets_in)
    return new


def test_a_new_cluster_gets_the_role_and_its_first_one_logs_in_no_more(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("cassandra_role")
    assert cluster.known == {("feed", "it's secret")}
    made, closed = cluster.statements
    assert "WITH PASSWORD = 'it''s secret'" in made
    assert closed == roles.CLOSE
    call_command("cassandra_role")
    assert len(cluster.statements) == 2
    assert capsys.readouterr().out.splitlines() == ["made the role feed", "the role cassandra logs in no more"]


def test_a_role_that_another_made_stays_and_the_first_one_is_closed(cluster: Cluster) -> None:
    cluster.known.add(("feed", "it's secret"))
    call_command("cassandra_role")
    assert cluster.statements == [roles.CLOSE]


def test_a_cluster_that_lets_nobody_in_is_an_error(cluster: Cluster) -> None:
    cluster.known.clear()
    with pytest.raises(CommandError, match="neither feed in"):
        call_command("cassandra_role")


def test_a_role_with_another_password_is_an_error_and_is_made_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first role is open still: an earlier run ended before it closed that one, and had another password."""
    monkeypatch.setattr(roles, "_lets_in", lambda user, password, statement="": (user, password) == FIRST)
    with pytest.raises(CommandError, match="with another password"):
        call_command("cassandra_role")
    assert capsys.readouterr().out.count("made the role") == 1


@pytest.mark.parametrize("user", ["cassandra", 'a"; DROP', "a b"])
def test_some_names_are_no_roles(cluster: Cluster, settings: Settings, user: str) -> None:
    settings.CASSANDRA_USER = user
    with pytest.raises(CommandError, match="CASSANDRA_USER must be"):
        call_command("cassandra_role")


def test_without_a_user_there_is_nothing_to_do(cluster: Cluster, settings: Settings) -> None:
    settings.CASSANDRA_USER = ""
    call_command("cassandra_role")
    assert cluster.statements == []


def test_with_an_authority_the_nodes_have_to_show_a_certificate(settings: Settings) -> None:
    assert open_cluster().ssl_context is None
    settings.CASSANDRA_TLS_CA = certifi.where()
    context = open_cluster().ssl_context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert context.get_ca_certs()
