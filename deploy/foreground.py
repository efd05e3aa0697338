"""A node in the foreground, until Ctrl-C or SIGTERM; `--end-with-parent` ends it, too, when make is told to end, or
dies. And the check before tests, loud when they cannot run here; with CI=true that they cannot is a failure."""

import os
import signal
import sys
from collections.abc import Callable

from deploy.errors import CannotStart
from deploy.node import JavaNode
from deploy.supervisor.privacy import PRIVATE_UMASK, make_private
from deploy.supervisor.processes import Hooks, wait_until
from deploy.supervisor.stopping import Parent, Stopping, StopRequest


def serve(node: JavaNode, how_to_use: Callable[[], str]) -> int:
    """Runs the node until somebody asks for its end; the exit status. `how_to_use` is printed when it serves."""
    os.umask(PRIVATE_UMASK)
    request = StopRequest(Parent() if "--end-with-parent" in sys.argv else None)
    request.catch_signals(signal.SIGINT, signal.SIGTERM)
    try:
        make_private(node.data_dir)
        print(f"Starting {node.name}; its jars are fetched the first time …", flush=True)
        node.start(Hooks(while_waiting=request.raise_if_asked))
        print(f"{node.name} is ready. In another terminal:\n{how_to_use()}\nCtrl-C ends it.", flush=True)
        return _until_it_ends(node, request)
    except Stopping:
        return 0
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        node.stop()


def _until_it_ends(node: JavaNode, request: StopRequest) -> int:
    child = node.child
    if child is not None:
        wait_until(child.ended, seconds=float("inf"), while_waiting=request.raise_if_asked)
    print(f"{node.name} has ended by itself; see {node.log}", file=sys.stderr)
    return 1


def say_whether_tests_run(server: str, reason: str | None) -> int:
    """Returns 0 when the tests that need the server can run, or may be skipped; `reason` says why they cannot."""
    if reason is None:
        return 0
    print(f"\n*** TESTS WITH A REAL {server.upper()} ARE SKIPPED. {reason} ***\n", file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0
