"""The benchmarks run, and all loaders store the same rows; no measured time is asserted."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from benchmarks.harness import child, page, worker
from benchmarks.harness.cases import NEW, TENTH, Case
from benchmarks.harness.files import ExportFiles, backlog_rows
from benchmarks.harness.postgres_server import Contents, contents
from benchmarks.loaders import EARLIER, FLOOR, LOCAL, Job, Loader
from salespro_core.postgres import connection
from tests.support.databases import new_database

ROWS = 100


@pytest.mark.parametrize("case", [NEW, TENTH], ids=lambda case: case.name)
def test_all_loaders_store_the_same_rows(
    server: str, template: str, tmp_path: Path, case: Case
) -> None:
    """Otherwise the benchmark would compare different amounts of work."""
    files = ExportFiles(tmp_path)
    stored = {}
    for loader in (FLOOR, LOCAL, EARLIER):
        with new_database(server, template) as name:
            url = make_conninfo(server, dbname=name)
            if case.is_stored:
                run(FLOOR, url, files.base(ROWS))
            run(loader, url, case.path(files, ROWS))
            stored[loader] = contents(url)

    assert stored[FLOOR].rows == ROWS
    assert set(stored.values()) == {stored[FLOOR]}


def test_contents_differ_if_one_row_differs(database_url: str, tmp_path: Path) -> None:
    """`test_all_loaders_store_the_same_rows` relies on it."""
    files = ExportFiles(tmp_path)
    tables: list[Contents] = []
    for path in (files.base(ROWS), files.changed(ROWS, every=ROWS)):
        run(FLOOR, database_url, path)
        tables.append(contents(database_url))

    assert tables[0].rows == tables[1].rows == ROWS
    assert tables[0] != tables[1]


def test_parts_of_a_file_have_all_of_its_rows(tmp_path: Path) -> None:
    """`make bench-scale` compares ten small files with one large file of the same rows."""
    files = ExportFiles(tmp_path)
    header, *rows = read(files.base(ROWS))

    parts = [read(path) for path in files.parts(ROWS, 3)]

    assert [part[0] for part in parts] == [header] * 3
    assert [row for part in parts for row in part[1:]] == rows
    assert [len(part) - 1 for part in parts] == [34, 34, 32]


def test_overlapping_files_give_the_same_table_with_both_workers(
    server: str, template: str, tmp_path: Path
) -> None:
    """`make bench-backlog` compares their tables."""
    files = ExportFiles(tmp_path)
    paths = files.overlapping(20, 4)
    stored = []
    for make in (worker.floor_loader, lambda conn: worker.importer(conn, tmp_path)):
        with new_database(server, template) as name:
            url = make_conninfo(server, dbname=name)
            with connection.connect(url) as conn:
                load = make(conn)
                for path in paths:
                    load(path)
            stored.append(contents(url))

    assert [len(read(path)) - 1 for path in paths] == [20] * 4
    assert read(paths[0])[-10:] == read(paths[1])[1:11]
    assert stored[0].rows == backlog_rows(20, 4) == 50
    assert stored[0] == stored[1]


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def run(loader: Loader, url: str, path: Path) -> None:
    """Run a loader in a new process."""
    usage = child.run(Job(loader=loader.name, conninfo=url, path=str(path)), limit_s=60)
    assert usage.peak_mb > 0


def test_benchmark_replaces_only_its_section_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    marks = "<!-- {0}: begin -->\n{1}\n<!-- {0}: end -->\n"
    old, kept = marks.format("speed", "old"), marks.format("cost", "kept")
    path.write_text(f"Before.\n{old}{kept}", encoding="utf-8")

    page.write(path, "speed", "make bench", "A table.")

    head, _, rest = path.read_text(encoding="utf-8").partition(
        "<!-- speed: begin -->\n"
    )
    body, _, tail = rest.partition("<!-- speed: end -->\n")
    assert (head, tail) == ("Before.\n", kept)
    assert body.startswith("Measured by `make bench` on ")
    assert body.endswith("\n\nA table.\n")


def test_write_to_a_missing_section_raises_value_error(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text("Nothing here.\n", encoding="utf-8")

    with pytest.raises(ValueError, match="no section speed"):
        page.write(path, "speed", "make bench", "A table.")
