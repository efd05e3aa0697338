"""A Prometheus that scrapes one running product, with the project's own rules."""

import subprocess
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.supervisor.ports import LOOPBACK, free_port

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"
INTERVAL = "5s"
"""Between two scrapes, and two looks at the rules: while a backend hangs that no breaker knows of, a scrape takes so
long."""


class Prometheus:
    """One server; what it knows is in `directory`."""

    def __init__(self, directory: Path, target: str) -> None:
        self.url = f"http://{LOOPBACK}:{free_port()}"
        directory.mkdir(parents=True)
        configuration = {
            "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "web", "static_configs": [{"targets": [target]}]}],
        }
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration))
        argv = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}"]
        argv += [f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=error"]
        self._process = subprocess.Popen(argv)

    def firing(self, name: str, **labels: str) -> dict[str, Any] | None:
        """The alert of that name with those labels, if it fires; None also while the server does not answer."""
        try:
            alerts: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v1/alerts").json()["data"]["alerts"]
        except httpx.HTTPError:
            return None
        wanted = {"alertname": name, **labels}
        return next(
            (each for each in alerts if each["state"] == "firing" and wanted.items() <= each["labels"].items()), None
        )

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
