"""The example of the README and `make demo` print what the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.test_docs import CONTRIBUTING, PAGES, README, ROOT, blocks, read
from tests.support import paths
from tests.support.builders import appointment, csv_bytes
from tests.support.terminal import Terminal


def without_times(text: str) -> str:
    """The text with placeholders for times and speeds, which differ from run to run."""
    text = re.sub(r"\d{8}T\d{6}\.\d+Z", "<time>", text)
    return re.sub(r"\d+\.\d\d s, [\d,]+ rows/s", "<speed>", text)


@pytest.mark.parametrize("has_demo", [False, True])
def test_readme_example_prints_the_output_that_the_readme_shows(
    database_url: str, tmp_path: Path, *, has_demo: bool
) -> None:
    """`make demo` may have been run, or not."""
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    if has_demo:
        assert terminal.run("import", paths.SAMPLE_EXPORT).code == 0
    terminal.write("five.csv", blocks(README, "csv")[0].encode())
    shown, table = blocks(README, "console")[:2]

    printed = terminal.run_in_pty("import", "five.csv", columns=120)

    expected = shown.removeprefix("$ salespro import five.csv\n")
    # The progress bar is written over.
    lines = [line.rpartition("\r")[2] for line in printed.split("\r\n")]
    # The README has no DATABASE_URL.
    embedded = "Database: the embedded Postgres of .salespro/"
    lines = [re.sub(r"Database: test_\w+ on \S+", embedded, line) for line in lines]
    assert without_times("\n".join(lines)) == without_times(expected)
    command, _, expected = table.partition("\n")
    query = command.removeprefix("$ salespro psql -c ").strip("'")
    stored = terminal.run("psql", "-c", query)
    assert [line.rstrip() for line in stored.out.splitlines() if line] == [
        line.rstrip() for line in expected.splitlines()
    ]


def test_make_demo_imports_the_sample_and_changes_nothing_the_second_time(
    database_url: str, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    (tmp_path / "events").symlink_to(paths.EVENTS)
    recipe = read(ROOT / "Makefile").split("\ndemo: ")[1].split("\n\n")[0]
    commands = re.findall(r"^\t@\$\(BIN\)/salespro (.+)$", recipe, re.MULTILINE)

    for result in ("2,374 created", "2,374 unchanged"):
        *_, imported = [terminal.run(*command.split()) for command in commands]

        assert len(commands) == 3
        assert (imported.code, imported.err) == (0, "")
        assert f"is imported. 2,374 rows: {result}." in imported.out
        assert re.search("^Report: .*report.html$", imported.out, re.MULTILINE)


def test_contributing_shows_the_first_line_of_an_import(
    database_url: str, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    [shown] = blocks(CONTRIBUTING, "console")
    _, command, line = shown.splitlines()
    rows = [appointment("A-1"), appointment("A-2"), appointment("A-3", isSale="maybe")]
    name = command.removeprefix("$ salespro import ")
    terminal.write(name, csv_bytes(*rows))

    assert terminal.run("import", name).out.splitlines()[0] == line


def test_every_page_that_shows_output_has_a_test_of_it() -> None:
    pages = {page for page in PAGES if blocks(page, "console")}

    # test_tour.py, test_cli_page.py and this module.
    docs = ROOT / "docs"
    assert pages == {README, CONTRIBUTING, docs / "tour.md", docs / "cli.md"}
