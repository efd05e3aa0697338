"""README's walkthrough against docker-compose.yml's processes behind the front, over TLS: `make production`."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.errors import CannotStart
from deploy.plan import ROOT
from tests.e2e.test_readme import Step, comparable, pattern_of, steps
from tests.production.stack import ORDER, Production

WALK_SECONDS = 300.0
MARK = "== the next step =="


def walked(production: Production) -> list[str]:
    """Pastes the walkthrough into bash, as it stands but for its address; returns what differs from the README."""
    walk = steps()
    script = f"echo; echo '{MARK}'\n".join(step.commands for step in walk)
    address = f"127.0.0.1:{'$PORT'}"
    for shipped, here in (
        (f"http://{address}", production.front.url),
        (f"ws://{address}", f"wss{production.front.url[5:]}"),
    ):
        assert shipped in script, shipped
        script = script.replace(shipped, here)
    trusted = {"CURL_CA_BUNDLE": str(production.front.certificate), "SSL_CERT_FILE": str(production.front.certificate)}
    done = subprocess.run(
        ["bash"], input=script, cwd=ROOT, env=production.environment | trusted,
        capture_output=True, text=True, timeout=WALK_SECONDS, check=False,
    )  # fmt: skip
    answers = done.stdout.split(f"\n{MARK}\n")
    if done.stderr or len(answers) != len(walk):
        return [f"{len(answers)} of {len(walk)} steps answered: {done.stderr}\n{done.stdout}"]
    return [
        f"{step.commands}\n{answer}" for step, answer in zip(walk, answers, strict=True) if not _as_told(step, answer)
    ]


def _as_told(step: Step, answer: str) -> bool:
    return bool(pattern_of(step.answer).fullmatch(comparable(answer)))


def main() -> int:
    """Exit status 0 if every step answers what the README says and every process is well afterwards."""
    with TemporaryDirectory(prefix="production-") as directory:
        try:
            with Production(Path(directory)) as production:
                print(f"Up: {', '.join(ORDER)} behind {production.front.url}", flush=True)
                found = walked(production)
                found += [f"{name} is not well" for name in ORDER if not production.is_well(name)]
        except CannotStart as error:
            print(error)
            return 2
    print(
        "\n".join(found)
        or f"The walkthrough's {len(steps())} steps answered as the README says; every process is well."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
