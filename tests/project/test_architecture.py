"""docs/architecture.md shows the packages and functions as they are in the code."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.paths import ROOT, SRC

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\[`(\w+)`\]\(\.\./(src/[\w/]+\.py)\)", PAGE)
OURS = ("salespro_core", "handler", "salespro_cli")


def package_of(module: str) -> str:
    """`upsert` for `salespro_core.upsert.sql`, `handler` for `handler.app`."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "salespro_core" else top


def imported_modules(path_source: str) -> set[str]:
    return {
        node.module
        for node in ast.walk(ast.parse(path_source))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.split(".")[0] in OURS
    }


def imports_in_the_code() -> set[tuple[str, str]]:
    """(importing package, imported package), without `errors`."""
    edges = set()
    for path in SRC.rglob("*.py"):
        importer = package_of(".".join(path.relative_to(SRC).with_suffix("").parts))
        for module in imported_modules(path.read_text(encoding="utf-8")):
            edges.add((importer, package_of(module)))
    return {(a, b) for a, b in edges if a != b and "errors" not in (a, b) and a and b}


def imports_in_the_picture() -> set[tuple[str, str]]:
    edges = set()
    for line in PAGE.split("```mermaid")[1].split("```")[0].splitlines():
        importer, arrow, imported = line.strip().partition(" --> ")
        if arrow:
            edges |= {(importer, name) for name in imported.split(" & ")}
    return edges


def test_picture_of_the_packages_equals_the_imports_of_the_code() -> None:
    assert imports_in_the_picture() == imports_in_the_code()


@pytest.mark.parametrize(("name", "path"), LINKS, ids=[name for name, _ in LINKS])
def test_link_names_a_package_or_a_definition_of_its_file(name: str, path: str) -> None:
    file = ROOT / path
    definitions = {
        node.name
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }

    assert name in definitions or (
        file.name == "__init__.py" and file.parent.name == name
    )


def test_path_of_a_row_has_links() -> None:
    """Otherwise the test before would pass on an empty list."""
    assert len(LINKS) > 20
