"""Prometheus' rules hold by its own tests, and dashboards and runbook entries are what they claim to be."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.config.test_docs import anchors

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES_TEST = RULES.with_name("alerts_test.yml")
CONFIGURATION = RULES.with_name("prometheus.yml")
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
MISSING = "promtool is missing: install Debian's package prometheus"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def rules() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    """Of all rules and dashboards."""
    yield from (rule["expr"] for rule in rules())
    for path in DASHBOARDS:
        yield from (target["expr"] for panel in panels(path) for target in panel["targets"])


@pytest.fixture(scope="module")
def promtool() -> str:
    """Debian's, of the package prometheus; in CI it has to be there."""
    path = shutil.which("promtool")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return path


def run(*argv: str, cwd: Path) -> None:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_pass_their_own_tests(promtool: str) -> None:
    run(promtool, "test", "rules", RULES_TEST.name, cwd=RULES.parent)


def test_the_configuration_and_each_expression_are_prometheus_own_language(promtool: str, tmp_path: Path) -> None:
    run(promtool, "check", "config", "--syntax-only", CONFIGURATION.name, cwd=RULES.parent)
    plain = [each.replace("$__rate_interval", "1m") for each in expressions()]
    named = [{"record": f"checked:{number}", "expr": each} for number, each in enumerate(plain)]
    (tmp_path / "all.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": named}]}))
    run(promtool, "check", "rules", "all.yml", cwd=tmp_path)


def test_each_alert_is_seen_to_fire_and_to_end() -> None:
    tested: list[dict[str, Any]] = [
        check for test in yaml.safe_load(RULES_TEST.read_text())["tests"] for check in test["alert_rule_test"]
    ]
    for alert in alerts():
        of_alert = [bool(check["exp_alerts"]) for check in tested if check["alertname"] == alert["alert"]]
        assert True in of_alert, alert["alert"]
        assert of_alert[-1] is False, f"{alert['alert']}: its end is not looked at"


def test_each_alert_says_how_bad_it_is_and_has_its_entry_in_the_runbook() -> None:
    known = anchors(ROOT / "docs" / "operations.md")
    for alert in alerts():
        assert alert["labels"]["severity"] in ("page", "ticket")
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert (page, anchor in known) == ("docs/operations.md", True), alert["alert"]


def test_what_is_scraped_are_the_services_of_compose_and_their_ports() -> None:
    configuration = CONFIGURATION.read_text()
    port = re.search(r"\$\{METRICS_PORT:-(\d+)\}", (ROOT / "docker-compose.yml").read_text())
    assert port is not None
    targets = dict(re.findall(r"([\w-]+):(\d+)", " ".join(re.findall(r'targets: \["(.*)"\]', configuration))))
    assert targets == {"web": "8000", "web-2": "8000", "live": "8001", "live-2": "8001"}
    assert set(targets) <= set(COMPOSE["x-environment"]["ALLOWED_HOSTS"].split(",")), "or a scrape is answered 400"
    looked_up = re.findall(r"names: \[(.*?)\], type: A, port: (\d+)", configuration)
    names = {name for some, _ in looked_up for name in re.findall(r'"([\w-]+)"', some)}
    assert {each for _, each in looked_up} == {port[1]}
    assert names | set(targets) == {each for each in COMPOSE["services"] if "build" in COMPOSE["services"][each]} - {
        "migrate",
        "copies",
        "front",
    }


def test_each_job_that_is_looked_up_by_name_is_missed_when_it_is_gone() -> None:
    jobs = yaml.safe_load(CONFIGURATION.read_text())["scrape_configs"]
    [missing] = [rule["expr"] for rule in rules() if rule.get("alert") == "NothingOfAJob"]
    looked_up = [job["job_name"] for job in jobs if "dns_sd_configs" in job]
    assert re.findall(r'absent\(up\{job="([\w-]+)"\}', missing) == looked_up
    assert re.findall(r'"job", "([\w-]+)"', missing) == looked_up


def test_an_outage_in_which_each_process_of_an_instance_opens_its_breaker_is_no_flapping() -> None:
    [flaps] = [rule["expr"] for rule in rules() if rule.get("alert") == "BreakerFlaps"]
    command = COMPOSE["services"]["web"]["command"]
    workers = int(command[command.index("--workers") + 1])
    most = re.fullmatch(r"max by \(backend\) .* > (\d+)", flaps)
    assert most is not None
    assert int(most[1]) > 5 * workers


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_one_that_grafana_can_import(path: Path) -> None:
    board = json.loads(path.read_text())
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(board)
    assert [each["type"] for each in board["templating"]["list"]] == ["datasource"]
    ids, places = set(), set()
    for panel in board["panels"]:
        assert panel["type"] == "timeseries"
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        assert panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        place = panel["gridPos"]
        ids.add(panel["id"])
        places |= {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
    areas = sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in board["panels"])
    assert (len(ids), len(places)) == (len(board["panels"]), areas), "none has another's number or place"


def test_there_are_three_dashboards_under_names_of_their_own() -> None:
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert [path.stem for path in DASHBOARDS] == ["fanout", "stores", "users"]
    assert len({board["uid"] for board in boards}) == 3
