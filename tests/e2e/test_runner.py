"""`make run` starts everything, says so, and ends everything however it is ended.

Most tests run the real runner with small stand-ins for the product's processes; the last ones run
the product.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from json import loads
from pathlib import Path
from typing import Self

import pytest

from deploy.supervisor.health import answers_200
from deploy.supervisor.ports import free_port

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
START_SECONDS = 90.0
END_SECONDS = 60.0
REAL_START_SECONDS = 180.0
GONE_SECONDS = 20.0

STAND_INS = '''
import sys
from pathlib import Path
from deploy.plan import product
from deploy.supervisor.processes import start, wait_until
from deploy.run import main
from deploy.supervisor.runner import Backend, Command, Plan

WEB = """
import http.server, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["SECRET_KEY"].encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);" \\
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(601)']); print('stubborn', flush=True);" + SLEEP
CHATTY = "while True: print('x' * 1000)"

class NeverReady:
    child = None
    def start(self, hooks):
        self.child = start("never", [sys.executable, "-c", SLEEP], log=Path("/dev/null"))
        hooks.started(self.child)
        print("never ready", flush=True)
        wait_until(lambda: False, seconds=600, while_waiting=hooks.while_waiting)
    def stop(self):
        self.child.kill()

def stand_ins(options, env):
    python = [sys.executable, "-c"]
    kind = env["KIND"]
    worker = {"stubborn": STUBBORN, "chatty": CHATTY, "dying": "import sys; sys.exit(3)"}.get(kind, SLEEP)
    preparation = {"slow": "print('preparing', flush=True);" + SLEEP, "failing": "import sys; sys.exit(4)"}
    backends = [Backend("a slow server", NeverReady(), dict)] if kind == "never" else []
    return Plan(
        backends=[*product(options, env).backends, *backends],
        preparations=[Command("migrate", [*python, preparation.get(kind, "print('migrated')")])],
        processes=[Command("web", [*python, WEB, str(options.port)]), Command("worker.1", [*python, worker])],
        ready_url=options.url + "/readyz",
        ready_sentence="Feed is ready: " + options.url,
        grace_seconds=1,
    )

sys.exit(main(sys.argv[1:], stand_ins))
'''


class Run:
    """One runner, or one make with a runner below it, and what they print."""

    def __init__(self, argv: list[str], directory: Path, **variables: str) -> None:
        self.data_dir = directory / "data"
        self.port = int(variables.pop("PORT", 0)) or free_port()
        self._log = directory / f"output-{self.port}-{time.monotonic_ns()}"
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=own_environment() | {"KIND": ""} | own | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def until(self, text: str, seconds: float = START_SECONDS) -> Self:
        assert eventually(lambda: text in self.output or self.popen.poll() is not None, seconds), self.output
        assert text in self.output, self.output
        return self

    def send(self, number: signal.Signals) -> Self:
        self.popen.send_signal(number)
        return self

    def ended(self) -> int:
        return self.popen.wait(END_SECONDS)

    def strays(self) -> list[str]:
        """The command lines of the living processes that were given this run's directory."""
        return [line for line in map(command_line, processes_of(self.data_dir)) if line]

    def leaves_nothing(self) -> bool:
        return eventually(lambda: not self.strays(), GONE_SECONDS) and not (self.data_dir / "run.json").exists()


PATIENT = {"REDIS_TIMEOUT_SECONDS": "5", "CASSANDRA_TIMEOUT_SECONDS": "30"}
"""For a product that is asked on a machine that is busy: as tests/settings.py."""


def own_environment() -> dict[str, str]:
    """The environment, but for what the test run set for itself and what a surrounding make did."""
    ours = {"TIMELINE_REDIS_URL", "BROKER_REDIS_URL", "DATABASE_URL", "SECRET_KEY", "STORE", "DJANGO_SETTINGS_MODULE"}
    makes = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours | makes and not name.startswith("CASSANDRA_")
    }


def processes_of(data_dir: Path) -> list[int]:
    wanted = f"DATA_DIR={data_dir}\0".encode()
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if wanted in contents(entry / "environ")]


def command_line(pid: int) -> str:
    return contents(Path(f"/proc/{pid}/cmdline")).replace(b"\0", b" ").decode(errors="replace").strip()


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


Starter = Callable[..., Run]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "stand_ins.py"
    path.write_text(STAND_INS)
    return path


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs; ends what a failed test left."""
    runs: list[Run] = []

    def begin(argv: list[str], directory: Path = tmp_path, **variables: str) -> Run:
        directory.mkdir(exist_ok=True)
        runs.append(Run(argv, directory, **variables))
        return runs[-1]

    yield begin
    for run in runs:
        if run.popen.poll() is None:
            run.popen.kill()
            run.popen.wait()
        for pid in processes_of(run.data_dir):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def runner(started: Starter, script: Path) -> Starter:
    return lambda **options: started([sys.executable, str(script)], **options)


@pytest.fixture
def make(started: Starter, script: Path) -> Starter:
    command = f"RUNNER={sys.executable} {script} --end-with-parent"
    return lambda **options: started(["make", "run", command], **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(runner: Starter, number: signal.Signals) -> None:
    run = runner().until("Feed is ready")
    assert len(run.strays()) == 5  # the runner, two Valkeys, web and worker
    assert answers_200(run.url)
    assert run.send(number).ended() == 0
    assert run.leaves_nothing()
    assert "Traceback" not in run.output
    assert "Everything has ended." in run.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_make_alone_ends_everything_before_make_ends(make: Starter, number: signal.Signals) -> None:
    run = make().until("Feed is ready")
    assert run.send(number).ended() == -number
    assert run.strays() == []
    assert "Everything has ended." in run.output


def test_killing_make_ends_everything(make: Starter) -> None:
    run = make().until("Feed is ready")
    run.send(signal.SIGKILL).ended()
    assert run.leaves_nothing()


def test_an_impatient_ctrl_c_in_the_terminal_leaves_nothing(make: Starter) -> None:
    run = make(KIND="stubborn").until("Feed is ready").until("stubborn")
    for _ in range(3):
        os.killpg(run.popen.pid, signal.SIGINT)
        time.sleep(0.2)
    run.ended()
    assert run.leaves_nothing()
    assert "Traceback" not in run.output


@pytest.mark.parametrize(("kind", "moment"), [("slow", "preparing"), ("never", "never ready")])
def test_a_signal_during_the_start_ends_everything(runner: Starter, kind: str, moment: str) -> None:
    run = runner(KIND=kind).until(moment)
    assert run.send(signal.SIGINT).ended() == 0
    assert run.leaves_nothing()
    assert "Traceback" not in run.output


def test_a_process_that_will_not_end_is_killed_with_its_own_children(runner: Starter) -> None:
    run = runner(KIND="stubborn").until("Feed is ready").until("stubborn")
    assert run.send(signal.SIGTERM).ended() == 0
    assert "worker.1 did not end in 1 s and was killed." in run.output
    assert run.leaves_nothing()


def test_a_process_that_ends_by_itself_ends_the_run_and_is_named(runner: Starter) -> None:
    run = runner(KIND="dying")
    assert run.ended() == 1
    assert run.output.splitlines()[-1] == "worker.1 has ended by itself (exit status 3), and the run with it."
    assert run.leaves_nothing()


def test_a_failed_migration_ends_the_run_and_is_named(runner: Starter) -> None:
    run = runner(KIND="failing")
    assert run.ended() == 1
    assert run.output.splitlines()[-1] == "migrate failed (exit status 4); see its lines above."
    assert run.leaves_nothing()


def test_a_killed_runner_takes_everything_with_it_and_the_next_one_starts(runner: Starter) -> None:
    first = runner().until("Feed is ready")
    pids = [record["pid"] for record in loads((first.data_dir / "run.json").read_text())]
    first.send(signal.SIGKILL).ended()
    assert eventually(lambda: not any(command_line(pid) for pid in pids), GONE_SECONDS)
    second = runner(PORT=str(first.port)).until("Feed is ready")
    assert second.send(signal.SIGINT).ended() == 0
    assert second.leaves_nothing()


def test_nobody_reading_the_output_does_not_keep_a_run_alive(tmp_path: Path, script: Path) -> None:
    directory = tmp_path / "data"
    own = {"DATA_DIR": str(directory), "PORT": str(free_port()), "PYTHONPATH": str(ROOT), "KIND": "chatty"}
    with subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, env=own_environment() | own, stdout=subprocess.PIPE
    ) as popen:
        assert eventually(lambda: len(processes_of(directory)) == 5, START_SECONDS)
        time.sleep(0.5)
        popen.terminate()
        assert popen.wait(END_SECONDS) == 0
    assert processes_of(directory) == []


def test_a_taken_port_is_one_sentence_and_starts_nothing(runner: Starter, tmp_path: Path) -> None:
    first = runner().until("Feed is ready")
    second = runner(directory=tmp_path / "other", PORT=str(first.port))
    assert second.ended() == 1
    assert second.output == (f"Port {first.port} is taken by another process: end it, or choose another with PORT=.\n")
    assert answers_200(first.url)
    first.send(signal.SIGINT).ended()


def test_a_directory_in_use_is_one_sentence_and_starts_nothing(runner: Starter) -> None:
    first = runner().until("Feed is ready")
    second = runner()
    assert second.ended() == 1
    assert second.output == (
        f"Another run uses {first.data_dir}: end it, or choose another directory with DATA_DIR=.\n"
    )
    assert answers_200(first.url)
    first.send(signal.SIGINT).ended()


def test_two_runs_side_by_side_do_not_touch(runner: Starter, tmp_path: Path) -> None:
    one, two = runner(), runner(directory=tmp_path / "other")
    one.until("Feed is ready")
    two.until("Feed is ready")
    assert one.send(signal.SIGINT).ended() == 0
    assert one.leaves_nothing()
    assert answers_200(two.url)
    assert len(two.strays()) == 5
    assert two.send(signal.SIGINT).ended() == 0


def test_the_product_starts_serves_and_starts_again_with_the_same_secret(started: Starter) -> None:
    first = started(["make", "run"]).until("Feed is ready", REAL_START_SECONDS)
    assert answers_200(first.url + "/readyz")
    assert len(first.strays()) == 8  # make, runner, two Valkeys, web, two workers, beat
    secret = (first.data_dir / "secret_key").read_text()
    assert first.send(signal.SIGINT).ended() == -signal.SIGINT
    assert first.strays() == []
    assert "Traceback" not in first.output

    second = started(["make", "run"]).until("Feed is ready", REAL_START_SECONDS)
    assert answers_200(second.url + "/readyz")
    assert (second.data_dir / "secret_key").read_text() == secret
    assert second.send(signal.SIGTERM).ended() == -signal.SIGTERM
    assert second.strays() == []
    assert "Traceback" not in second.output


@pytest.mark.cassandra
def test_the_product_with_a_cassandra_of_its_own_can_be_stopped_at_any_time(started: Starter) -> None:
    booting = started(["make", "run"], STORE="cassandra").until("Starting Cassandra")
    assert eventually(lambda: any("CassandraDaemon" in line for line in booting.strays()), START_SECONDS)
    assert booting.send(signal.SIGINT).ended() == -signal.SIGINT
    assert booting.strays() == []

    run = started(["make", "run"], STORE="cassandra").until("Feed is ready", REAL_START_SECONDS)
    assert answers_200(run.url + "/readyz")
    assert any("CassandraDaemon" in line for line in run.strays())
    assert run.send(signal.SIGINT).ended() == -signal.SIGINT
    assert run.strays() == []
    assert "Traceback" not in run.output
