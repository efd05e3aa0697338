"""What a process has imported is looked through for garbage no more, and what it makes afterwards is."""

import subprocess
import sys

LOOK = "import gc, django; django.setup(); print(gc.isenabled(), gc.get_freeze_count() > 100_000)"


def test_a_process_that_has_begun_collects_garbage_and_not_among_its_modules() -> None:
    looked = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert looked.stdout == "True True\n"
