"""README and docs are correct: examples run, tables match the code, commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg import Connection

from handler import settings
from salespro_cli.main import cli
from salespro_core import errors
from salespro_core.exports import catalogue
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.column_types import instant
from tests.chaos import reliability_page
from tests.chaos.faults.catalogue import FAULTS
from tests.support import paths
from tools.changed_tests import ALWAYS, select_tests

ROOT = paths.ROOT
README = ROOT / "README.md"
CLI = ROOT / "docs" / "cli.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
FOLDERS = (ROOT, ROOT / "docs", ROOT / "events")
PAGES = [path for folder in FOLDERS for path in sorted(folder.glob("*.md"))]


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The contents of the page's fenced code blocks in one language, also in lists."""
    fence = rf"^ *```{language}\n(.*?)^ *```"
    found = re.findall(fence, read(page), re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in found]


def section(page: Path, title: str) -> str:
    """The text under a `## title`, up to the next one."""
    return read(page).split(f"\n## {title}\n")[1].split("\n## ")[0]


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives to the page's headings."""
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


def test_settings_table_lists_every_setting_of_the_function() -> None:
    first_cells = {
        name
        for line in section(README, "Settings").splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", line.split("|")[1])
    }

    assert first_cells == {*settings.NAMES, "LOG_LEVEL"}


def test_every_decision_belongs_to_one_topic() -> None:
    page = ROOT / "docs" / "decisions.md"
    topics = re.findall(r"^\| [^|]+ \| (\d[\d, ]*) \|$", read(page), re.MULTILINE)
    numbers = re.findall(r"^## (\d+)\. ", read(page), re.MULTILINE)

    listed = sorted(int(number) for topic in topics for number in topic.split(", "))
    assert listed == [*map(int, numbers)] == [*range(1, len(numbers) + 1)]


def test_table_of_sample_events_lists_every_event_file() -> None:
    table = section(CLI, "Sample events")

    assert set(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    assert set(re.findall(r"`([\w-]+\.json)`", table)) == {
        path.name
        for path in (ROOT / "events").glob("*.json")
        if not path.name.startswith("local.")
    }


def test_sql_for_recent_imports_runs(conn: Connection) -> None:
    [query] = blocks(CLI, "sql")

    assert conn.execute(query.encode()).fetchall() == []


def test_python_for_recent_imports_runs(database_url: str) -> None:
    [code] = blocks(CLI, "python")
    url = re.compile(r'"postgresql://[^"]*"')

    done = subprocess.run(  # noqa: S603 -- our own example
        [sys.executable, "-c", url.sub(repr(database_url), code)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_commands_and_make_targets_in_the_docs_exist() -> None:
    makefile = read(ROOT / "Makefile")
    # In code only: "salespro" and "make" are also words of the prose.
    code = "\n".join(
        snippet
        for page in PAGES
        for snippet in (
            *re.findall(r"`[^`\n]+`", read(page)),
            *blocks(page, "sh"),
            *blocks(page, "console"),
        )
    )

    # CONTRIBUTING.md adds the command `count` as an example.
    commands = set(re.findall(r"\bsalespro ([a-z][a-z-]*)", code)) - {"count"}
    targets = set(re.findall(r"\bmake ([a-z][a-z0-9]*(?:-[a-z0-9]+)*)", code))

    assert commands <= set(cli.commands)
    assert {"import", "history", "migrate", "sandbox"} <= commands
    assert {target for target in targets if f"\n{target}: " not in makefile} == set()
    assert {"demo", "test", "check"} <= targets


def test_table_of_commands_lists_every_command_with_an_example() -> None:
    listed = re.findall(
        r"^\| `([a-z-]+)` \|.*\| `salespro ([a-z-]+)(?![a-z-])[^`]*` \|$",
        section(CLI, "Commands"),
        re.MULTILINE,
    )

    assert sorted(listed) == [(name, name) for name in sorted(cli.commands)]


def test_performance_page_has_a_section_and_a_command_for_each_benchmark() -> None:
    """A benchmark replaces the text between its begin and end marks."""
    page = read(ROOT / "docs" / "performance.md")
    makefile = read(ROOT / "Makefile")
    written = re.compile(r'page\.write\(\s*settings\.page, "(\w+)", "make ([\w-]+)"')
    sections = [
        match
        for path in sorted((ROOT / "benchmarks").glob("*.py"))
        for match in written.findall(read(path))
    ]

    assert len(sections) == 8
    for section, target in sections:
        assert page.count(f"<!-- {section}: begin -->\n") == 1
        assert page.count(f"<!-- {section}: end -->\n") == 1
        assert f"| `make {target}` |" in page
        assert f"\n{target}: " in makefile


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (
            "src/salespro_core/upsert/transaction.py",
            {
                "tests/core/upsert/test_transaction.py",
                "tests/core/upsert/test_transaction_chunks.py",
            },
        ),
        ("src/handler/app.py", {"tests/handler/test_app.py"}),
        (
            "src/salespro_core/records/parser.py",
            {
                f"tests/core/records/parser/test_parser{part}.py"
                for part in ("", "_lenient", "_rejects")
            },
        ),
        ("tests/cli/test_main.py", {"tests/cli/test_main.py"}),
        ("tests/cli/test_that_was_deleted.py", set[str]()),
        ("README.md", set[str]()),
    ],
)  # fmt: skip
def test_quick_selects_the_tests_of_a_changed_file(
    changed: str, tests: set[str]
) -> None:
    assert {*select_tests([changed])} - {*ALWAYS} == tests


def test_quick_selects_tests_of_model_records_and_reports_for_a_changed_value() -> None:
    tests = select_tests(["src/salespro_core/model/outcome.py"])

    assert "tests/core/model/test_object_key.py" in tests
    assert "tests/core/records/parser/test_parser.py" in tests
    assert "tests/core/report/test_json_report.py" in tests


def python_example(start: str) -> str:
    """The Python block of CONTRIBUTING.md that starts with this text."""
    [code] = [b for b in blocks(CONTRIBUTING, "python") if b.startswith(start)]
    return code


def test_contributing_example_of_an_export_is_a_valid_declaration() -> None:
    code = python_example("offices = Export(").partition("return ")[0]
    names: dict[str, Any] = {**vars(catalogue), "moment": instant(UTC)}

    exec(code, names)  # noqa: S102 -- our own example

    assert names["offices"].sync_type == "csv_offices"


def test_contributing_example_of_a_command_prints_what_its_test_expects(
    database_url: str,
) -> None:
    names: dict[str, Any] = {}

    exec(python_example('"""`salespro count`.'), names)  # noqa: S102 -- our own example
    done = CliRunner().invoke(names["count"], env={"DATABASE_URL": database_url})

    assert done.output == "salespro_appointment: 0 rows\nsalespro_users: 0 rows\n"
    assert done.output.replace("0", "2", 1).replace("\n", "\\n") in read(CONTRIBUTING)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_files_that_exist(page: Path) -> None:
    named = set(re.findall(r"`((?:src|tests|docs|tools)/[\w/.*]+)`", read(page)))
    # The example of a new command.
    new = {"src/salespro_cli/commands/count.py", "tests/cli/commands/test_count.py"}

    missing = {name for name in named if not [*ROOT.glob(name)]}
    assert missing == (new if page == CONTRIBUTING else set())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", read(page))

    missing = []
    for path, fragment in links:
        target = (page.parent / path).resolve() if path else page
        is_found = target.exists() and (
            not fragment or target.suffix != ".md" or fragment in anchors(target)
        )
        if not is_found:
            missing.append(f"{path}#{fragment}")
    assert missing == []


def test_every_picture_is_shown_on_a_page() -> None:
    """`make pictures` renews them all; an unused picture would cost time and go stale."""
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", read(page))
    }

    assert shown == {*(ROOT / "docs" / "images").iterdir()}


def test_exports_page_names_every_label_and_column() -> None:
    page = read(ROOT / "docs" / "exports.md")

    for export in (APPOINTMENTS, USERS):
        for column in export.columns:
            for name in (*column.labels, column.name):
                assert f"`{name}`" in page


def test_error_tree_in_the_docstring_names_every_error_class() -> None:
    drawn = set(re.findall(r"[├└]─ (\w+)", str(errors.__doc__)))
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.SalesProError)
    }

    assert drawn | {"SalesProError"} == classes


def test_reliability_page_lists_every_fault_with_its_runs() -> None:
    """`make faults` writes the table, so a new fault must be run once."""
    table = reliability_page.section("faults")
    rows = re.findall(r"^\| (?!fault |---)(.+?) \|.*\| (\d+) \|$", table, re.MULTILINE)

    assert {name for name, _ in rows} == {fault.name for fault in FAULTS}
    assert len(rows) >= 45
    assert sum(int(runs) for _, runs in rows) >= 150
