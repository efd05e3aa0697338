"""`make run`: the whole product on one machine, until Ctrl-C.

    python -m deploy.run [--end-with-parent]

Refuses, in one sentence and before anything is started, a DATA_DIR that another run holds and a
PORT that is taken. With `--end-with-parent` it also ends when its parent (make) is told to, or dies.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from deploy.errors import CannotStart
from deploy.plan import ROOT, Options, environment, product
from deploy.supervisor.locks import try_lock
from deploy.supervisor.output import Output
from deploy.supervisor.ports import is_free
from deploy.supervisor.privacy import PRIVATE_UMASK, make_private
from deploy.supervisor.records import Records
from deploy.supervisor.runner import Plan, Runner
from deploy.supervisor.stopping import Parent, Stopping, StopRequest

METRICS = "PROMETHEUS_MULTIPROC_DIR"
PlanMaker = Callable[[Options, Mapping[str, str]], Plan]


def main(arguments: list[str], make_plan: PlanMaker = product) -> int:
    """Returns the exit status: 0 after a stop that was asked for, 1 after a sentence on standard error."""
    os.umask(PRIVATE_UMASK)
    request = StopRequest(Parent() if "--end-with-parent" in arguments else None)
    request.catch_signals(signal.SIGINT, signal.SIGTERM, *_hang_up())
    try:
        with closing(Output()) as output:
            return _run(Options.read(os.environ), make_plan, request, output)
    except Stopping:
        return 0
    except CannotStart as error:
        print(error, file=sys.stderr, flush=True)
        return 1


def _run(options: Options, make_plan: PlanMaker, request: StopRequest, output: Output) -> int:
    with holding(options.data_dir, output.say):
        records = Records(options.data_dir / "run.json")
        leftovers = records.end_leftovers()
        if leftovers:
            output.say(f"An earlier run was killed; ended what it had left: {', '.join(leftovers)}.")
        if not is_free(options.port, options.host):
            raise CannotStart(f"Port {options.port} is taken by another process: end it, or choose another with PORT=.")
        env = environment(options, os.environ) | {"SITE_URL": options.url, METRICS: metrics_directory(options)}
        plan = make_plan(options, env)
        return Runner(plan, cwd=ROOT, env=env, records=records, request=request, output=output).run()


def metrics_directory(options: Options) -> str:
    """Returns the directory in which the processes add up what they count, empty: what an earlier run left goes."""
    directory = options.data_dir / "metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    return str(directory)


def _home() -> list[Path]:
    """The home of who runs it; none where the machine knows none."""
    try:
        return [Path.home()]
    except RuntimeError:
        return []


@contextmanager
def holding(data_dir: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the directory, made if need be, for this run alone, and keeps others of the machine out of it.

    Raises `CannotStart` when another run has it, or others could look into it and that cannot be mended.
    """
    try:
        mended = make_private(data_dir, around=(ROOT, *_home()))
        lock = (data_dir / "run.lock").open("a+")
    except OSError as error:
        raise CannotStart(f"DATA_DIR={data_dir} cannot be used: {error.strerror}.") from error
    if mended:
        say(f"{data_dir} could be read by others of this machine; now only its owner may.")
    with lock:
        if not try_lock(lock.fileno()):
            raise CannotStart(f"Another run uses {data_dir}: end it, or choose another directory with DATA_DIR=.")
        yield


def _hang_up() -> list[signal.Signals]:
    """A closed terminal ends the run, unless it was started to outlive it (nohup)."""
    return [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
