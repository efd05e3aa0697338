"""The tests that a change concerns, run on the embedded store and without the whole product.

    python -m tests.changed [SINCE] -- [pytest's options]

SINCE is a commit, HEAD unless given; what git does not know yet counts as well. A changed test file is run itself.
A changed module is concerned by the test files that import it, or whose name is its own under the same package; where
there are none, by its package's unit and integration tests. Lua and CQL count as the modules beside them, documents
and the like as tests/unit/config. A quick answer, not a proof: `make test` runs the rest.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("config", "feed", "tweets", "fanout", "accounts", "storage", "deploy", "bench", "tests")
QUICK = "not cassandra and not e2e"
SLOW = "tests/property/"
"""A minute and more; only for itself."""
SUITES = ("unit", "contract", "integration")


def changed_files(since: str) -> list[str]:
    """Every file that differs from the commit, or that git does not know; those that are gone as well."""
    differing = _git("diff", "--name-only", "--no-renames", since)
    return sorted({*differing, *_git("ls-files", "--others", "--exclude-standard")})


def concerned(changed: Iterable[str], tests: Mapping[str, set[str]], root: Path = ROOT) -> list[str]:
    """The test files and directories to run. `tests` are all test files, each with the modules that it imports."""
    found: set[str] = set()
    for path in changed:
        if path in tests:
            found.add(path)
        else:
            found |= _of_module(path, tests, root)
    return sorted(found)


def imports_of(source: str) -> set[str]:
    """The modules that a file names: of `from a.b import c` both a.b and a.b.c, as c may be either."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return named


def imports_of_tests(root: Path = ROOT) -> dict[str, set[str]]:
    """Every test file, with the modules that it imports."""
    files = sorted((root / "tests").rglob("test_*.py"))
    return {file.relative_to(root).as_posix(): imports_of(file.read_text()) for file in files}


def _of_module(path: str, tests: Mapping[str, set[str]], root: Path) -> set[str]:
    package = path.split("/", maxsplit=1)[0]
    if package not in PACKAGES or "/" not in path:
        return {"tests/unit/config"}
    found: set[str] = set()
    for module in _modules(path, root):
        name = module.rsplit(".", 1)[-1]
        found |= {test for test, imported in tests.items() if module in imported and not test.startswith(SLOW)}
        found |= {test for test in tests if test.endswith(f"/{package}/test_{name}.py")}
    return found or {each for each in (f"tests/{suite}/{package}" for suite in SUITES) if (root / each).is_dir()}


def _modules(path: str, root: Path) -> list[str]:
    """The module of a file; of one that is no Python, those of the directory that it stands in, or below."""
    file = Path(path)
    if file.suffix == ".py":
        parts = file.with_suffix("").parts
        return [".".join(parts[:-1] if parts[-1] == "__init__" else parts)]
    beside = next((each for each in file.parents if any((root / each).glob("*.py"))), file.parent)
    return [".".join((beside / each.stem).parts) for each in sorted((root / beside).glob("*.py"))]


def _git(*arguments: str) -> list[str]:
    answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return answer.stdout.split("\n")[:-1]


def main(arguments: Sequence[str]) -> int:
    """Says what it runs and why, and runs it; pytest's exit status."""
    since = arguments[0] if arguments and arguments[0] != "--" else "HEAD"
    options = list(arguments[arguments.index("--") + 1 :]) if "--" in arguments else []
    changed = changed_files(since)
    selected = [each for each in concerned(changed, imports_of_tests()) if (ROOT / each).exists()]
    print(f"Changed since {since}: {', '.join(changed) or 'nothing'}")
    print(f"Concerned: {' '.join(selected) or 'no test'}", flush=True)
    if not selected:
        return 0
    return subprocess.call([sys.executable, "-m", "pytest", "-q", "-m", QUICK, *selected, *options], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
