"""The environment: what production refuses, and what a laptop may have."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from cassandra import ConsistencyLevel
from environs import EnvError

from config import database_urls
from config.email_urls import MailServer, fault_of, mail_server
from config.environment import CONSISTENCIES, LAPTOP_SECRET, Environment
from config.environment_checks import read_environment
from config.variables import UnsafeEnvironment
from tests.e2e.runs import ROOT, own_environment

SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "k" * 40,
    "ALLOWED_HOSTS": "feed.example.org",
    "METRICS_TOKEN": "m" * 40,
}
READ = [field.name.upper() for field in fields(Environment) if field.name != "production"] + ["ENVIRONMENT"]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with nothing of ours in it."""
    for name in READ:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def read(given: pytest.MonkeyPatch, variables: dict[str, str]) -> Environment:
    for name, value in variables.items():
        given.setenv(name, value)
    return read_environment()


def fault(given: pytest.MonkeyPatch, variables: dict[str, str]) -> str:
    with pytest.raises(UnsafeEnvironment) as refused:
        read(given, variables)
    return str(refused.value)


def test_a_laptop_needs_nothing(given: pytest.MonkeyPatch) -> None:
    environment = read(given, {})
    assert not environment.production
    assert not environment.debug
    assert environment.store == "embedded"
    assert environment.data_dir == Path.cwd() / "data"
    assert environment.database_url == f"sqlite:///{environment.data_dir}/accounts.sqlite3"
    assert environment.log_format == "console"
    assert environment.allowed_origins == []
    assert "*" not in environment.allowed_hosts
    assert environment.rate_limits


def test_production_starts_when_it_is_told_what_it_must_know(given: pytest.MonkeyPatch) -> None:
    environment = read(given, SAFE)
    assert environment.production
    assert environment.log_format == "json"
    assert environment.allowed_hosts == ["feed.example.org"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", LAPTOP_SECRET),
        ("SECRET_KEY", "k" * 39),
        ("SECRET_KEY", ""),
        ("DEBUG", "true"),
        ("ALLOWED_HOSTS", "feed.example.org,*"),
        ("ALLOWED_HOSTS", "feed.example.org, *"),
        ("ALLOWED_HOSTS", ""),
        ("ALLOWED_ORIGINS", "*"),
        ("RATE_LIMITS", "off"),
        ("METRICS_TOKEN", ""),
        ("METRICS_TOKEN", " "),
    ],
)
def test_production_refuses_what_must_not_serve_anyone(given: pytest.MonkeyPatch, name: str, value: str) -> None:
    found = fault(given, {**SAFE, name: value})
    assert found.startswith("refusing to start in production: ")
    assert name in found
    assert ";" not in found, "and nothing else"


@pytest.mark.parametrize("broker", ["redis://cache:6379/0", "redis://cache", "redis://:pw@cache:6379"])
def test_one_database_for_both_redis_is_refused(given: pytest.MonkeyPatch, broker: str) -> None:
    """A new generation of the timelines would empty the broker's queues."""
    given.setenv("TIMELINE_REDIS_URL", "redis://cache:6379/0")
    given.setenv("BROKER_REDIS_URL", broker)
    with pytest.raises(UnsafeEnvironment, match="name one database"):
        read_environment()
    given.setenv("BROKER_REDIS_URL", "redis://cache:6379/1")
    read_environment()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("sentinel://s1:26379/mymaster", "names Sentinels, which are not supported"),
        ("redis+sentinel://s1:26379/mymaster/0", "names Sentinels, which are not supported"),
        ("unix:///run/redis.sock", "begins with unix://: must be one of redis://,"),
        ("memcached://cache:11211", "begins with memcached://: must be one of redis://,"),
        ("cache:6379", "is no URL"),
        ("redis://n1:6379,n2:6379", "names several servers"),
        ("redis://cache:6379/timelines", "has a database that is no number"),
        ("redis+cluster://n1:6379/3", "cannot be read: not the address of a cluster"),
        ("redis+cluster://", "cannot be read: a host without a name"),
        ("redis+cluster://n1:6379,:7000", "cannot be read: a host without a name"),
        ("redis+cluster://n1:port", "cannot be read: a host without a name, or a port that is none"),
        ("redis+cluster://n1:70000", "cannot be read: a host without a name, or a port that is none"),
    ],
)
def test_an_address_of_redis_that_cannot_work_is_refused_with_a_sentence(
    given: pytest.MonkeyPatch, url: str, fault: str
) -> None:
    given.setenv("TIMELINE_REDIS_URL", url)
    with pytest.raises(UnsafeEnvironment, match=re.escape(f"TIMELINE_REDIS_URL {fault}")):
        read_environment()


@pytest.mark.parametrize(
    "hosts", ["n1", "n1:7000,n2:7001", ":pw%2F@n1:7000,n2", "user:pw@[::1]:7000/0", "n1/?protocol=2"]
)
def test_a_cluster_is_taken_for_timelines_and_not_for_the_broker(given: pytest.MonkeyPatch, hosts: str) -> None:
    given.setenv("TIMELINE_REDIS_URL", f"redis+cluster://{hosts}")
    assert read_environment().timeline_redis_url == f"redis+cluster://{hosts}"
    given.setenv("TIMELINE_REDIS_URL", "redis://cache:6379")
    given.setenv("BROKER_REDIS_URL", f"rediss+cluster://{hosts}")
    with pytest.raises(UnsafeEnvironment, match="BROKER_REDIS_URL names a cluster: it has to be one server"):
        read_environment()


def test_a_broker_that_is_a_node_of_the_timelines_cluster_is_refused(given: pytest.MonkeyPatch) -> None:
    given.setenv("TIMELINE_REDIS_URL", "redis+cluster://n1:7000,n2:7001")
    given.setenv("BROKER_REDIS_URL", "redis://n2:7001/0")
    with pytest.raises(UnsafeEnvironment, match="name one database"):
        read_environment()


@pytest.mark.parametrize("name", ["DATABASE_URL", "TIMELINE_REDIS_URL", "BROKER_REDIS_URL"])
@pytest.mark.parametrize("password", ["hunter/two", "hunter#two", "hunter?two", "hunter[two", "hunter]two"])
def test_a_url_that_cannot_be_read_is_named_without_its_password(
    given: pytest.MonkeyPatch, name: str, password: str
) -> None:
    found = fault(given, {name: f"redis://:{password}@cache:6379/3"})
    assert found.startswith(f"{name} is no URL")
    assert "hunter" not in found
    assert "two" not in found


def test_a_laptop_s_secret_is_none(given: pytest.MonkeyPatch) -> None:
    assert "SECRET_KEY" in fault(given, {name: value for name, value in SAFE.items() if name != "SECRET_KEY"})


def test_every_fault_is_named_at_once(given: pytest.MonkeyPatch) -> None:
    found = fault(
        given,
        {
            "ENVIRONMENT": "production",
            "DEBUG": "on",
            "ALLOWED_HOSTS": "*",
            "ALLOWED_ORIGINS": "*",
            "RATE_LIMITS": "off",
        },
    )
    for name in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "RATE_LIMITS"):
        assert name in found


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("STORE", "postgres", "embedded, cassandra"),
        ("STORE", "", "embedded, cassandra"),
        ("LOG_FORMAT", "xml", "console, json"),
        ("ENVIRONMENT", "Production", "development, production"),
        ("ENVIRONMENT", "prod", "development, production"),
    ],
)
def test_a_choice_that_is_none_names_those_that_are(
    given: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    assert fault(given, {name: value}) == f"{name}={value}: must be one of {allowed}"


@pytest.mark.parametrize(("name", "value"), [("CASSANDRA_PORT", "many"), ("RATE_LIMITS", "perhaps")])
def test_a_value_of_the_wrong_kind_names_its_variable(given: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(EnvError, match=name):
        read(given, {name: value})


class TestDatabases:
    PRIMARY = "postgres://feed:secret@primary/feed"

    @pytest.mark.parametrize("url", ["mysql://feed@db/feed", "redis://127.0.0.1/0"])
    def test_one_of_another_sort_is_refused_at_start(self, given: pytest.MonkeyPatch, url: str) -> None:
        assert fault(given, {"DATABASE_URL": url}).startswith("DATABASE_URL begins with ")

    @pytest.mark.parametrize(
        "url", ["mysql://feed:secret@replica/feed", "sqlite:////tmp/late.sqlite3", "redis://replica/0"]
    )
    def test_a_replica_of_another_sort_is_refused_at_start(self, given: pytest.MonkeyPatch, url: str) -> None:
        told = fault(given, {"DATABASE_URL": self.PRIMARY, "REPLICA_DATABASE_URL": url})
        assert told.startswith("REPLICA_DATABASE_URL begins with ")
        assert "secret" not in told

    def test_a_replica_of_nothing_is_refused_at_start(self, given: pytest.MonkeyPatch) -> None:
        told = fault(given, {"REPLICA_DATABASE_URL": "postgres://feed@replica/feed"})
        assert told == "REPLICA_DATABASE_URL names a replica, of which DATABASE_URL must name the primary"

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
    def test_both_are_read(self, given: pytest.MonkeyPatch, scheme: str) -> None:
        url = f"{scheme}://feed@replica/feed"
        environment = read(given, {"DATABASE_URL": self.PRIMARY, "REPLICA_DATABASE_URL": url})
        assert environment.replica_database_url == url

    @pytest.mark.parametrize(
        ("place", "sentence"),
        [
            ("feed:12/se cret@db/feed", "is no URL"),
            ("feed:12#secret@db/feed", "is no URL"),
            ("feed:secret%zz@db/feed", "is no URL"),
            ("feed:12?secret@db/feed", "has a parameter that is not understood"),
            ("feed:secret@db/feed?options=-c%20x=1", "has a parameter that is not understood"),
            ("feed:secret@db/feed?sslmode=disable&sslmode=require", "has a parameter twice"),
            ("feed:secret@db/feed?target_session_attrs=read-write", "has a parameter that is not understood"),
            ("feed:secret@db", "names no database"),
            ("feed:secret@db/?sslmode=require", "names no database"),
            ("feed:secret@db/feed?sslmode=verify", "has an sslmode that is none of disable,"),
        ],
    )
    def test_what_would_mean_something_else_is_refused(
        self, given: pytest.MonkeyPatch, place: str, sentence: str
    ) -> None:
        for name in ("DATABASE_URL", "REPLICA_DATABASE_URL"):
            told = fault(given, {"DATABASE_URL": self.PRIMARY, name: f"postgres://{place}"})
            assert told.startswith(f"{name} {sentence}")
            assert "secret" not in told

    def test_what_is_escaped_is_meant(self) -> None:
        place = database_urls.postgresql("postgres://f%40d:%2F%23%3F%40%25@db/a%2Fb?sslmode=require&sslrootcert=/r%20t")
        assert place[:-1] == ("a/b", "db", 5432, "f@d", "/#?@%")
        assert place.parameters == {"sslmode": "require", "sslrootcert": "/r t"}
        socket = database_urls.postgresql("postgres://feed@%2Fvar%2FRun:6432/feed?application_name=a+b%26c")
        assert (socket.host, socket.port, socket.parameters) == ("/var/Run", 6432, {"application_name": "a+b&c"})
        assert database_urls.postgresql("postgres://feed@[::1]/feed").host == "::1"

    def test_none_is_none(self, given: pytest.MonkeyPatch) -> None:
        assert read(given, {"REPLICA_DATABASE_URL": ""}).replica_database_url == ""


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CASSANDRA_CONSISTENCY", "QUORUMS", "CASSANDRA_CONSISTENCY=QUORUMS: must be one of LOCAL_QUORUM, QUORUM,"),
        ("CASSANDRA_CONSISTENCY", "ANY", "CASSANDRA_CONSISTENCY=ANY: must be one of"),
        ("CASSANDRA_CONSISTENCY", "local_quorum", "CASSANDRA_CONSISTENCY=local_quorum: must be one of"),
        ("TIMELINE_SHARDS", "0", "TIMELINE_SHARDS=0: must be at least 1"),
        ("TIMELINE_SHARDS", "-8", "TIMELINE_SHARDS=-8: must be at least 1"),
        ("TIMELINE_SHARDS", "1000000", "TIMELINE_SHARDS=1000000: must be at most 4096"),
        ("TIMELINE_CAP", "0", "TIMELINE_CAP=0: must be at least 1"),
        ("ACTIVE_DAYS", "0", "ACTIVE_DAYS=0: must be at least 1"),
        ("TOKEN_DAYS", "-1", "TOKEN_DAYS=-1: must be at least 1"),
        ("REDIS_TIMEOUT_SECONDS", "0", "REDIS_TIMEOUT_SECONDS=0.0: must be at least 0.01"),
        ("CASSANDRA_TIMEOUT_SECONDS", "0.2", "CASSANDRA_TIMEOUT_SECONDS=0.2: must be at least 1.0"),
        ("SWEEP_AFTER_SECONDS", "-1", "SWEEP_AFTER_SECONDS=-1.0: must not be negative"),
        ("DATABASE_URL", "mysql://u:pw@db/feed", "DATABASE_URL begins with mysql://: must be one of postgresql://,"),
        ("BROKER_REDIS_URL", "amqp://u:pw@mq//", "BROKER_REDIS_URL begins with amqp://: must be one of redis://,"),
        ("FANOUT_BROKER_URLS", "redis://a,sqs://b", "FANOUT_BROKER_URLS begins with sqs://: must be one of redis://,"),
        ("FANOUT_BROKER_URLS", "redis://a,b", "FANOUT_BROKER_URLS is no URL"),
        ("FANOUT_BROKER_URLS", "redis://a,redis://a:6379/0", "FANOUT_BROKER_URLS names one database twice"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "u:pw@collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT must begin with http://"),
        ("SEARCH_URL", "http://u:pw@search:9200/tweets", "SEARCH_URL must be opensearch://host:port/index,"),
        ("SEARCH_URL", "opensearch://search:9200", "SEARCH_URL must be opensearch://host:port/index,"),
        ("SEARCH_URL", "opensearch://search:port/tweets", "SEARCH_URL must be opensearch://host:port/index,"),
        ("SEARCH_URL", "on", "SEARCH_URL must be opensearch://host:port/index,"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "OTEL_TRACES_SAMPLER_ARG=1.5: must be from 0 to 1"),
        ("FANOUT_BROKER_URLS", "redis://127.0.0.1", "TIMELINE_REDIS_URL and FANOUT_BROKER_URLS name one database"),
    ],
)
def test_what_cannot_work_is_refused_by_a_sentence(
    given: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    found = fault(given, {name: value})
    assert found.startswith(sentence)
    assert "pw" not in found


LETTERS = {"EMAIL_URL": "smtps://u:pw@mail.example.org", "EMAIL_FROM": "Feed <feed@example.org>"}


class TestLetters:
    def test_without_a_server_none_are_sent_and_nothing_is_missing(self, given: pytest.MonkeyPatch) -> None:
        assert read(given, SAFE).email_url == ""

    def test_all_of_it(self, given: pytest.MonkeyPatch) -> None:
        page = "https://feed.example.org/new-password"
        environment = read(given, {**SAFE, **LETTERS, "PASSWORD_RESET_URL": page, "EMAIL_CONFIRMATION_URL": f"{page}2"})
        assert (environment.email_from, environment.password_reset_url) == ("Feed <feed@example.org>", page)
        assert environment.email_confirmation_url == f"{page}2"

    @pytest.mark.parametrize(
        ("variables", "sentence"),
        [
            ({"EMAIL_FROM": ""}, "EMAIL_URL and EMAIL_FROM go together"),
            ({"EMAIL_URL": ""}, "EMAIL_URL and EMAIL_FROM go together"),
            ({"EMAIL_FROM": "Feed"}, "EMAIL_FROM must be an address"),
            ({"EMAIL_FROM": "feed@example.org\nBcc: x@example.org"}, "EMAIL_FROM must be an address"),
            (
                {"EMAIL_URL": "mail.example.org:25"},
                "EMAIL_URL must begin with one of smtps://, smtp+starttls://, smtp://",
            ),
            ({"EMAIL_URL": "smtps://"}, "EMAIL_URL names no host"),
            ({"EMAIL_URL": "smtps://u@mail"}, "EMAIL_URL has a user without a password"),
            ({"EMAIL_URL": "smtps://:pw@mail"}, "EMAIL_URL has a user without a password"),
            ({"EMAIL_URL": "smtp://u:pw@mail"}, "EMAIL_URL would send a password in the clear"),
            ({"EMAIL_URL": "smtps://u:p%C3%A4ss@mail"}, "EMAIL_URL has a user or a password with letters that"),
            ({"EMAIL_URL": "smtps://u:p/w@mail"}, "EMAIL_URL is no URL"),
            ({"PASSWORD_RESET_URL": "http://feed.example.org"}, "PASSWORD_RESET_URL must begin with https://"),
            ({"PASSWORD_RESET_URL": "https://feed.example.org/#new"}, "PASSWORD_RESET_URL must begin with https://"),
            (
                {"EMAIL_URL": "", "EMAIL_FROM": "", "PASSWORD_RESET_URL": "https://feed.example.org"},
                "PASSWORD_RESET_URL is for letters",
            ),
            ({"EMAIL_CONFIRMATION_URL": "http://feed.example.org"}, "EMAIL_CONFIRMATION_URL must begin with https://"),
            ({"EMAIL_CONFIRMATION_URL": "https://x.org/#new"}, "EMAIL_CONFIRMATION_URL must begin with https://"),
            (
                {"EMAIL_URL": "", "EMAIL_FROM": "", "EMAIL_CONFIRMATION_URL": "https://feed.example.org"},
                "EMAIL_CONFIRMATION_URL is for letters",
            ),
        ],
    )
    def test_half_of_it_is_refused(self, given: pytest.MonkeyPatch, variables: dict[str, str], sentence: str) -> None:
        found = fault(given, {**SAFE, **LETTERS, **variables})
        assert found.startswith(sentence)
        assert "pw" not in found

    @pytest.mark.parametrize(
        ("url", "server"),
        [
            ("smtps://u%40x:p%2Fw@mail", MailServer("mail", 465, "u@x", "p/w", tls=True, starttls=False)),
            ("smtp+starttls://u:p@mail:2525", MailServer("mail", 2525, "u", "p", tls=False, starttls=True)),
            ("smtp://localhost", MailServer("localhost", 25, "", "", tls=False, starttls=False)),
        ],
    )
    def test_what_an_address_says(self, url: str, server: MailServer) -> None:
        assert fault_of(url) is None
        assert mail_server(url) == server


@pytest.mark.parametrize("value", ["redis://a, redis://b", " redis://a ,redis://b,", "redis://a,,redis://b"])
def test_spaces_and_a_comma_too_many_are_no_part_of_an_address(given: pytest.MonkeyPatch, value: str) -> None:
    assert read(given, {"FANOUT_BROKER_URLS": value}).fanout_broker_urls == ["redis://a", "redis://b"]


@pytest.mark.parametrize("level", CONSISTENCIES)
def test_the_levels_of_consistency_are_cassandra_s(given: pytest.MonkeyPatch, level: str) -> None:
    assert read(given, {"CASSANDRA_CONSISTENCY": level}).cassandra_consistency == level
    assert level in ConsistencyLevel.name_to_value


@pytest.mark.parametrize(
    ("name", "value"),
    [("CASSANDRA_CONSISTENCY", "SOME"), ("TIMELINE_SHARDS", "many"), ("DATABASE_URL", "mysql://db/x")],
)
def test_a_process_that_is_refused_says_one_sentence_and_no_trace(tmp_path: Path, name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=own_environment() | {"DATA_DIR": str(tmp_path), name: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Not started: ")
    assert name in line


def test_production_has_no_index_of_one_machine(given: pytest.MonkeyPatch) -> None:
    assert "SEARCH_URL is embedded" in fault(given, {**SAFE, "SEARCH_URL": "embedded"})


@pytest.mark.parametrize(
    "url", ["", "embedded", "off", "opensearch://search:9200/tweets", "opensearchs://u:p%40w@search/tweets"]
)
def test_where_the_index_of_tweets_may_be(given: pytest.MonkeyPatch, url: str) -> None:
    given.setenv("SEARCH_URL", url)
    assert read_environment().search_url == url


def test_spaces_around_the_elements_of_a_list_mean_nothing(given: pytest.MonkeyPatch) -> None:
    found = read(given, {"CASSANDRA_HOSTS": " one, two ,,", "ALLOWED_ORIGINS": ""})
    assert found.cassandra_hosts == ["one", "two"]
    assert found.allowed_origins == []
