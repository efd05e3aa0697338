"""One bench on one store: `python -m bench.one NAME STORE DIRECTORY`, a process of its own.

Django's settings are read once in a process, and name the servers that this bench has started;
so the module that measures is imported only when they run.
"""

import importlib
import logging
import os
import sys
import time
from pathlib import Path

import django
from msgspec import structs

from bench.bench import Measure
from bench.catalogue import BENCHES
from bench.results import Result, save
from bench.stack import Stack
from deploy.errors import CannotStart


def run(name: str, store: str) -> Result:
    """Raises `CannotStart`."""
    bench = BENCHES[name]
    began = time.monotonic()
    with Stack(store, bench.size) as stack:
        os.environ.update(stack.env, DJANGO_SETTINGS_MODULE="config.settings")
        django.setup()
        # Bulk seeding makes batches that the server finds large, and says so each time.
        logging.getLogger("cassandra").setLevel(logging.ERROR)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        measure: Measure = importlib.import_module(f"bench.{name}").measure
        found = measure(stack)
    return structs.replace(found, seconds=time.monotonic() - began)


def main() -> int:
    name, store, directory = sys.argv[1:]
    try:
        save(run(name, store), Path(directory))
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
