"""`make quick`: print the test files of the modules that were changed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tools.emulator import ROOT

# Cheap tests that many kinds of change can break.
ALWAYS: Final = ("tests/project/test_docs.py", "tests/project/test_layout.py")
_TREES: Final = {"salespro_core": "core", "handler": "handler", "salespro_cli": "cli"}
# Few modules of `model` have tests of their own; the other packages make and show its values.
_TESTS_OF_MODEL: Final = ("model", "records", "report")


def main() -> None:
    """Print the paths, one per line."""
    print(*select_tests(changed_files()), sep="\n")  # noqa: T201 -- read by the Makefile


def changed_files() -> list[str]:
    """Files that differ from the last commit; without any, those of the last commit."""
    changed = _git("diff", "--name-only", "HEAD")
    changed += _git("ls-files", "--others", "--exclude-standard")
    return changed or _git("diff", "--name-only", "HEAD~1")


def select_tests(changed: Iterable[str]) -> list[str]:
    """Test files for the changed files; all paths are relative to the repository."""
    found = {*ALWAYS}
    for name in changed:
        found.update(str(path.relative_to(ROOT)) for path in _tests(Path(name)))
    return sorted(found)


def package_tests(module: str) -> list[str]:
    """The test files of the package that has the module, and of the packages in it."""
    folder = _folder(Path(module))
    found = folder.rglob("test_*.py") if folder else ()
    return sorted(str(path.relative_to(ROOT)) for path in found)


def _folder(module: Path) -> Path | None:
    """The folder of the tests of the module's package."""
    match module.parts:
        case ["src", package, *folders, _] if package in _TREES:
            return ROOT.joinpath("tests", _TREES[package], *folders)
    return None


def _tests(changed: Path) -> Iterator[Path]:
    match changed.parts:
        case ["tests", *_] if changed.match("test_*.py") and (ROOT / changed).exists():
            yield ROOT / changed
        case ["src", "salespro_core", "model", _]:
            for tested in _TESTS_OF_MODEL:
                yield from (ROOT / "tests" / "core" / tested).rglob("test_*.py")
        case ["src", *_] if folder := _folder(changed):
            module = changed.stem.rstrip("_")
            # The tests of a module may have a folder of their own, or share one.
            tests = [
                *sorted(folder.rglob(f"test_{module}*.py")),
                *sorted((folder / module).glob("test_*.py")),
            ]
            # A module without tests of its own is tested by those of its package.
            yield from tests or sorted(folder.rglob("test_*.py"))
        case ["template.yaml"] | ["deploy", _]:
            yield from (ROOT / "tests" / "project" / "template").glob("test_*.py")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 -- our own arguments
        [shutil.which("git") or "git", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
