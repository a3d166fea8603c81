"""The README is true: its example is run, its tables are compared, its commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg import Connection

from handler import settings
from salespro_cli.main import cli
from salespro_core import errors
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from tests.chaos.faults.catalogue.every_fault import FAULTS
from tests.support import paths, reliability_page

ROOT = paths.ROOT
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def without_what_varies(text: str) -> str:
    """Times and speeds differ from run to run."""
    text = re.sub(r"\d{8}T\d{6}\.\d+Z", "<time>", text)
    return re.sub(r"\d+\.\d\d s, [\d,]+ rows/s", "<speed>", text)


def test_the_example_prints_what_the_readme_shows(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "five.csv").write_text(blocks("csv")[0], encoding="utf-8")
    shown, table = blocks("console")[:2]
    salespro = Path(sys.executable).with_name("salespro")

    done = subprocess.run(  # noqa: S603 -- our own command
        [salespro, "import", "five.csv"],
        cwd=tmp_path,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )

    expected = shown.removeprefix("$ salespro import five.csv\n")
    assert without_what_varies(done.stdout) == without_what_varies(expected)
    command, _, expected = table.partition("\n")
    query = command.removeprefix("$ salespro psql -c ").strip("'")
    stored = subprocess.run(  # noqa: S603 -- our own command
        [salespro, "psql", "-c", query],
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.rstrip() for line in stored.stdout.splitlines() if line] == [
        line.rstrip() for line in expected.splitlines()
    ]


def test_the_settings_are_those_of_the_function() -> None:
    table = README.split("## Settings")[1].split("## ")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", re.sub(r"\|[^|]*\|$", "", table)))
    first_cells = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", line.split("|")[1])
    }

    assert first_cells == {*settings.NAMES, "LOG_LEVEL"}
    assert first_cells <= named


def test_the_sample_events_are_all_told() -> None:
    table = README.split("## The sample events")[1].split("## ")[0]

    assert set(re.findall(r"`([\w-]+\.json)`", table)) == {
        path.name
        for path in (ROOT / "events").glob("*.json")
        if not path.name.startswith("local.")
    }


def test_the_sql_for_the_last_imports_runs(conn: Connection) -> None:
    [query] = [block for block in blocks("sql") if block.startswith("SELECT")]

    assert conn.execute(query.encode()).fetchall() == []


def test_the_python_for_the_last_imports_runs(database_url: str) -> None:
    [code] = blocks("python")
    url = re.compile(r'"postgresql://[^"]*"')

    done = subprocess.run(  # noqa: S603 -- our own example
        [sys.executable, "-c", url.sub(repr(database_url), code)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_commands_exist() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    # In code only: "salespro" is a word of prose and of names, too.
    code = "\n".join(re.findall(r"`[^`\n]+`", text) + blocks("sh") + blocks("console"))

    commands = set(re.findall(r"\bsalespro ([a-z-]+)", code))
    targets = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)", code))

    assert commands <= set(cli.commands)
    assert {"import", "history", "migrate", "sandbox"} <= commands
    assert all(f"\n{target}: " in makefile for target in targets)
    assert {"demo", "test", "check"} <= targets


def test_the_table_of_commands_has_them_all_with_an_example() -> None:
    table = README.split("## Commands")[1].split("## ")[0]
    told = re.findall(
        r"^\| `([a-z]+)` \|.*\| `salespro ([a-z]+)\b[^`]*` \|$", table, re.MULTILINE
    )

    assert sorted(told) == [(name, name) for name in sorted(cli.commands)]


def test_each_benchmark_has_its_section_of_the_page_of_performance() -> None:
    """It is written between two marks, and the command that does it stands above."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    written = re.compile(r'page\.write\(\s*wanted\.page, "(\w+)", "make ([\w-]+)"')
    sections = [
        match
        for path in sorted((ROOT / "benchmarks").glob("*.py"))
        for match in written.findall(path.read_text(encoding="utf-8"))
    ]

    assert len(sections) == 6
    for section, target in sections:
        assert page.count(f"<!-- {section}: begin -->\n") == 1
        assert page.count(f"<!-- {section}: end -->\n") == 1
        assert f"| `make {target}` |" in page
        assert f"\n{target}: " in makefile


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_picture_is_shown_somewhere() -> None:
    """`make pictures` takes them all anew; one that nobody sees would grow old."""
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text("utf-8"))
    }

    assert shown == {*(ROOT / "docs" / "images").iterdir()}


def test_every_label_and_column_is_in_the_page_of_exports() -> None:
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")

    for export in (APPOINTMENTS, USERS):
        for column in export.columns:
            for name in (*column.labels, column.name):
                assert f"`{name}`" in page


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    """The picture in the module's docstring names every class."""
    drawn = set(re.findall(r"[├└]─ (\w+)", str(errors.__doc__)))
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.SalesProError)
    }

    assert drawn | {"SalesProError"} == classes


def test_the_page_on_reliability_names_every_fault_and_its_runs() -> None:
    """It is written by the run; a fault that is added has to be run."""
    section = reliability_page.section("faults")
    rows = re.findall(
        r"^\| (?!fault |---)(.+?) \|.*\| (\d+) \|$", section, re.MULTILINE
    )

    assert {name for name, _ in rows} == {fault.name for fault in FAULTS}
    assert len(rows) >= 45
    assert sum(int(runs) for _, runs in rows) >= 150
