"""The tree stays small enough to find a file in; import-linter checks the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import paths

MAX_LINES = 340
MAX_ENTRIES = 12
ROOTS = (paths.SRC, paths.ROOT / "tests")
MODULES = sorted(path for root in ROOTS for path in root.rglob("*.py"))
PACKAGES = sorted(path.parent for path in paths.SRC.rglob("__init__.py"))
FOLDERS = sorted({path.parent for path in MODULES})
NOT_COUNTED = {"__init__.py", "__pycache__", "py.typed"}


def relative(path: Path) -> str:
    return path.relative_to(paths.ROOT).as_posix()


def test_no_module_is_longer_than_the_limit() -> None:
    lines = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES
    }

    assert {name: n for name, n in lines.items() if n > MAX_LINES} == {}


def test_no_folder_has_more_entries_than_the_limit() -> None:
    entries = {
        relative(folder): len({path.name for path in folder.iterdir()} - NOT_COUNTED)
        for folder in FOLDERS
    }

    assert {name: n for name, n in entries.items() if n > MAX_ENTRIES} == {}


@pytest.mark.parametrize("package", PACKAGES, ids=relative)
def test_package_docstring_says_what_goes_in_and_out_and_where_to_start(
    package: Path,
) -> None:
    source = (package / "__init__.py").read_text(encoding="utf-8")
    docstring = (ast.get_docstring(ast.parse(source)) or "").lower()

    for phrase in ("in: ", "out: ", "import", "start at "):
        assert phrase in docstring, phrase


def test_every_distributed_package_is_marked_as_typed() -> None:
    """Without py.typed a type checker ignores the annotations of an installed package."""
    marked = {path.parent for path in paths.SRC.glob("*/py.typed")}

    assert marked == {path.parent for path in paths.SRC.glob("*/__init__.py")}
