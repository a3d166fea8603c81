"""Run the tests of a mutant's module against it."""

from __future__ import annotations

import ast
import difflib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coverage import CoverageData

from tools.changed_tests import ALWAYS, package_tests, select_tests
from tools.emulator import ROOT
from tools.mutation.contexts import seconds_file
from tools.mutation.sample import COSMIC_RAY, Mutant

# A mutant may loop forever.  The machine may be busier than at the first run of the tests.
TIMEOUT_FACTOR: Final = 4
TIMEOUT_MIN_S: Final = 60.0
_NOT_COPIED: Final = (
    ".git",
    ".venv*",
    ".mutation",
    "*cache*",
    ".aws-sam",
    ".hypothesis",
)
_COVERAGE: Final = """
[run]
source = src
data_file = {data}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the tests said of a mutant.

    Attributes:
        outcome: `killed`, `timeout`, `survived`, or `untested` if the tests fail without
            the mutant too.
    """

    name: str
    module: str
    line: int
    outcome: str
    diff: str


@dataclass(slots=True)
class _Tests:
    """Some tests of a module, and what they do without a mutant.

    Attributes:
        files: the test files.
        limit_s: how long they may take; 0 until they have run.
        data: which lines each test executes; None if a test fails.
        seconds: how long each test takes.
    """

    files: tuple[str, ...]
    limit_s: float = 0.0
    data: CoverageData | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Runner:
    """Runs mutants, each thread in its own copy of the repository."""

    def __init__(
        self, folder: Path, url: str, modules: Iterable[str], markers: str
    ) -> None:
        """Copy the repository, so that work in it can go on.

        Args:
            folder: for the copies.
            url: of a Postgres server, for the tests.
            modules: that will be mutated.
            markers: pytest's `-m`: which tests are short enough.
        """
        self._folder = folder
        self._original = folder / "original"
        ignored = shutil.ignore_patterns(*_NOT_COPIED)
        shutil.copytree(ROOT, self._original, ignore=ignored)
        by_files: dict[tuple[str, ...], _Tests] = {}
        self._tests: dict[str, list[_Tests]] = {}
        for module in sorted(set(modules)):
            own = tuple(sorted({*select_tests([module])} - {*ALWAYS}))
            package = tuple(package_tests(module))
            self._tests[module] = [
                by_files.setdefault(files, _Tests(files))
                for files in dict.fromkeys((own, package))
                if files
            ]
        self._url = url
        self._markers = markers
        self._local = threading.local()

    def run(self, mutant: Mutant) -> Result:
        """Run the tests of the mutant's module, and if it survives, those of its package.

        Only tests that execute its line are run.
        """
        tree = self._tree()
        path = tree / mutant.module
        before = path.read_text("utf-8")
        subprocess.run(  # noqa: S603 -- our own arguments
            [
                COSMIC_RAY,
                "apply",
                mutant.module,
                mutant.operator,
                str(mutant.occurrence),
            ],
            cwd=tree,
            check=True,
            capture_output=True,
        )
        after = path.read_text("utf-8")
        path.write_text(before, encoding="utf-8")
        outcome = "untested"
        for tests in self._tests[mutant.module]:
            data = self._coverage_of(tests, tree)
            if data is None:
                continue
            outcome = "survived"
            selected = _executing(data, mutant.module, before, mutant.line)
            if selected is None:
                selected = list(tests.seconds)
            if selected:
                # Most mutants are killed: the sooner, the better.
                selected.sort(key=lambda test: tests.seconds.get(test, 0.0))
                path.write_text(after, encoding="utf-8")
                code = self._run(tree, ["-m", "pytest"], selected, tests.limit_s)
                path.write_text(before, encoding="utf-8")
                outcome = {0: "survived", None: "timeout"}.get(code, "killed")
            if outcome != "survived":
                break
        lines = before.splitlines(), after.splitlines()
        diff = list(difflib.unified_diff(*lines, lineterm="", n=0))
        return Result(
            name=mutant.name,
            module=mutant.module,
            line=mutant.line,
            outcome=outcome,
            diff="\n".join(diff[3:]),
        )

    def _tree(self) -> Path:
        """The copy of this thread."""
        if not hasattr(self._local, "tree"):
            tree = self._folder / f"copy-{threading.get_ident()}"
            shutil.copytree(self._original, tree)
            self._local.tree = tree
        return Path(self._local.tree)

    def _coverage_of(self, tests: _Tests, tree: Path) -> CoverageData | None:
        with tests.lock:
            if not tests.limit_s:
                self._run_unchanged(tests, tree)
        return tests.data

    def _run_unchanged(self, tests: _Tests, tree: Path) -> None:
        """Find out how long the tests take, and which lines they execute."""
        name = f"coverage-{threading.get_ident()}-{time.monotonic_ns()}"
        settings, data = self._folder / f"{name}.ini", self._folder / name
        settings.write_text(_COVERAGE.format(data=data), encoding="utf-8")
        started = time.monotonic()
        command = ["-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest"]
        command += ["-p", "tools.mutation.contexts"]
        code = self._run(tree, command, tests.files, None)
        tests.limit_s = TIMEOUT_FACTOR * (time.monotonic() - started) + TIMEOUT_MIN_S
        if code == 0:
            tests.data = CoverageData(str(data))
            tests.data.read()
            text = seconds_file(data).read_text("utf-8")
            tests.seconds = json.loads(text)

    def _run(
        self,
        tree: Path,
        command: Sequence[str],
        tests: Iterable[str],
        limit_s: float | None,
    ) -> int | None:
        """The exit code of pytest; None if the time was up."""
        options = (
            "-n",
            "0",
            "-x",
            "-q",
            "-m",
            self._markers,
            "-k",
            "not memory",
            "-p",
            "no:cacheprovider",
        )
        process = subprocess.Popen(  # noqa: S603 -- our own arguments
            [sys.executable, *command, *options, *tests],
            cwd=tree,
            env={
                **os.environ,
                "PYTHONPATH": f"{tree / 'src'}:{tree}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "TEST_DATABASE_URL": self._url,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _executing(
    data: CoverageData, module: str, source: str, line: int
) -> list[str] | None:
    """The tests that execute the statement of this line; None if that is not known.

    A line that is executed outside of a test, by an import or by a fixture, may matter to
    every test.
    """
    contexts: dict[int, list[str]] = {}
    for name in data.measured_files():
        if name.endswith(f"/{module}"):  # in the copy that was measured
            contexts.update(data.contexts_by_lineno(name))
    lines = lines_of_statement(source, line)
    found = {context for each in lines for context in contexts.get(each, ())}
    return None if "" in found else sorted(found)


def lines_of_statement(source: str, line: int) -> range:
    """The lines of the innermost statement; of a compound one, those of its head."""
    lines = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
            if node.lineno <= line < end:
                lines = range(node.lineno, end)
    return lines
