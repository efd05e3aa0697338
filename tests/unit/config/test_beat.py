"""Beat ends cleanly, whenever it is told to."""

import subprocess
import sys

SCHEDULE = """
import sys
import celery.bin.celery
from config.celery import app

beat = app.Beat(scheduler="celery.beat:Scheduler", quiet=True)
beat.init_loader()
service = beat.Service(app=app, scheduler_cls=beat.scheduler_cls)
known = set(sys.modules)
service.sync()
print(sorted(set(sys.modules) - known))
"""


def test_beats_handler_of_signals_imports_nothing() -> None:
    """It runs amid whatever the signal interrupted: amid an import of the same module, that module is half there."""
    looked = subprocess.run([sys.executable, "-c", SCHEDULE], capture_output=True, text=True, check=True)
    assert looked.stdout == "[]\n"
