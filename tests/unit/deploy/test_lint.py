"""Directions are rules and not lists: a module that did not exist when they were written is held to them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("config", "feed", "tweets", "fanout", "accounts", "storage", "deploy")
BIN = Path(sys.executable).parent

DIRECTION = "Import direction: config, feed, tweets, fanout, accounts, storage"
DEPLOY = "What starts processes (deploy) imports none of the packages"
FRAMEWORKS = "Frameworks are known in the rooms made for them, and to nobody by way of those"
CASSANDRA = "Only stores speak to Cassandra"
ENGINES = "Only stores know the engines: others ask ports"
REDIS = "Only the node and the live process's subscription speak to Redis"
CELERY = "Only tasks, and what puts orders on the queues, speak to Celery"

WRONG = [
    ("tweets/reading/ranking.py", "import rest_framework", FRAMEWORKS),
    ("feed/ranking.py", "from drf_spectacular.utils import extend_schema", FRAMEWORKS),
    ("accounts/people/nodes.py", "from graphene import ObjectType", FRAMEWORKS),
    ("feed/timelines/sockets.py", "from channels.layers import get_channel_layer", FRAMEWORKS),
    ("fanout/delivery/by_way.py", "from storage.web.rest import parse_id", FRAMEWORKS),
    ("fanout/delivery/by_two_ways.py", "from fanout.delivery import by_way", FRAMEWORKS),
    ("storage/redis/people.py", "from accounts.entities import Viewer", DIRECTION),
    ("tweets/writing/homes.py", "from feed.timelines import home", DIRECTION),
    ("storage/redis/urls.py", "from config import settings", DIRECTION),
    ("deploy/errors_of_storage.py", "from storage import errors", DEPLOY),
    ("feed/timelines/driver.py", "from cassandra.cluster import Session", CASSANDRA),
    ("tweets/stores/driver.py", "import cassandra", CASSANDRA),
    ("feed/operations/engine.py", "from storage.embedded.base import writing", ENGINES),
    ("accounts/people/keys.py", "import redis", REDIS),
    ("tweets/writing/later.py", "from celery import shared_task", CELERY),
    ("config/http/checks.py", "from config.observability import health", "Directions inside config"),
    ("feed/timelines/frames.py", "from feed.live import frames", "Directions inside feed"),
    ("feed/doors/sockets.py", "from feed.live import frames", "Directions inside feed"),
    ("tweets/reading/posts.py", "from tweets.writing import posting", "Directions inside tweets"),
    ("fanout/timelines/orders.py", "from fanout.orders import kinds", "Directions inside fanout"),
    ("accounts/people/follows.py", "from accounts.graph import follows", "Directions inside accounts"),
    ("storage/ports/chosen.py", "from storage import stores", "Directions inside storage"),
]
RIGHT = [
    ("tweets/reading/ranking.py", "from tweets.caches import counts"),
    ("tweets/doors/rest_ranking.py", "import rest_framework"),
    ("feed/live/streams/groups.py", "from channels.layers import get_channel_layer"),
    ("storage/cassandra/driver.py", "import cassandra"),
    ("fanout/orders/ranking.py", "from storage.errors import Unavailable"),
]
NEW_ROOMS = [
    ("tweets/trends/__init__.py", "Directions inside tweets"),
    ("storage/places.py", "Directions inside storage"),
]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A copy of the packages' modules, and of the rules."""
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            add(tmp_path, str(module.relative_to(ROOT)), module.read_text())
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def add(packages: Path, path: str, text: str) -> None:
    added = packages / path
    assert not added.exists(), path
    added.parent.mkdir(parents=True, exist_ok=True)
    added.write_text(text)


def broken_contracts(packages: Path) -> dict[str, str]:
    """What lint-imports says of each contract that is broken."""
    done = subprocess.run(
        [BIN / "lint-imports", "--no-cache"], cwd=packages, capture_output=True, text=True, check=False, timeout=60
    )
    _, _, broken = done.stdout.partition("Broken contracts\n")
    names_and_texts = re.split(r"^(\S.*)\n-{20,}\n", broken, flags=re.MULTILINE)[1:]
    found = dict(zip(names_and_texts[::2], names_and_texts[1::2], strict=True))
    assert bool(found) is (done.returncode != 0), done.stdout + done.stderr
    return found


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_the_packages_keep_to_the_rules_also_with_new_modules_in_their_places(packages: Path) -> None:
    for path, line in RIGHT:
        add(packages, path, line)
    assert broken_contracts(packages) == {}


def test_a_module_in_the_wrong_place_breaks_its_rule(packages: Path) -> None:
    for path, line, _ in WRONG:
        add(packages, path, line)
    broken = broken_contracts(packages)
    unseen = [path for path, _, rule in WRONG if f"{module_of(path)} " not in broken.get(rule, "")]
    assert unseen == []


def test_a_new_room_has_to_be_given_its_place(packages: Path) -> None:
    for path, _ in NEW_ROOMS:
        add(packages, path, "")
    broken = broken_contracts(packages)
    assert {*broken} == {rule for _, rule in NEW_ROOMS}
    assert [path for path, rule in NEW_ROOMS if module_of(path) not in broken[rule]] == []


def test_the_admin_is_known_in_its_rooms_only(packages: Path) -> None:
    add(packages, "feed/moderation/pages.py", "from django.contrib import admin")
    add(packages, "feed/moderation/models.py", "from django.contrib.admin import ModelAdmin")
    add(packages, "tweets/doors/admin_pages.py", "import django.contrib.admin")
    add(packages, "tweets/admin.py", "from django.contrib import admin")
    command: list[str | Path] = [
        BIN / "ruff",
        "check",
        "--no-cache",
        "--select",
        "TID251",
        "--output-format",
        "concise",
        ".",
    ]
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False, timeout=60)
    assert {line.partition(":")[0] for line in done.stdout.splitlines() if "TID251" in line} == {
        "feed/moderation/pages.py",
        "feed/moderation/models.py",
        "tweets/doors/admin_pages.py",
    }
