"""Imports point one way, and every room stays small enough to be seen at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support import paths

SRC = paths.SRC
MODULES = sorted(SRC.rglob("*.py"))
# What each package may import of ours.  The command line reads objects and looks for missed
# uploads as the function does, and its sandbox calls the function's entry point; that is
# all it knows of it.
ALLOWED = {
    "salespro_core": {"salespro_core"},
    "handler": {"handler", "salespro_core"},
    "salespro_cli": {
        "salespro_cli",
        "salespro_core",
        "handler.app",
        "handler.events",
        "handler.aws.s3_object",
        "handler.admin.reconcile",
    },
}
# The core knows CSV and Postgres: neither a cloud nor a terminal.
EDGE_LIBRARIES = {"boto3", "botocore", "aws_lambda_powertools", "click", "rich", "tqdm"}


def imported(path: Path) -> set[str]:
    """The modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} | {f"{module}.{alias.name}" for alias in names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(SRC).parts[0]
    ours = {name for name in imported(path) if name.split(".")[0] in ALLOWED}

    strangers = {
        name
        for name in ours
        if not any(
            name == allowed or name.startswith(f"{allowed}.") or allowed == name
            for allowed in ALLOWED[package]
        )
        # `from handler import app` names the package, too, on its way.
        and not any(allowed.startswith(f"{name}.") for allowed in ALLOWED[package])
    }

    assert strangers == set()


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.is_relative_to(SRC / "salespro_core")],
    ids=lambda p: p.name,
)
def test_the_core_knows_neither_edge(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(path)} & EDGE_LIBRARIES == set()


def test_the_function_does_not_import_the_command_lines_libraries() -> None:
    names = {
        name.split(".")[0]
        for path in MODULES
        if path.is_relative_to(SRC / "handler")
        for name in imported(path)
    }

    assert names & {"click", "rich", "tqdm", "moto"} == set()
