"""The benchmarks run, and compare like with like; no test asserts what they measure."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from benchmarks import child, page
from benchmarks.cases import NEW, TENTH, Case
from benchmarks.files import Files
from benchmarks.server import Contents, contents
from benchmarks.ways import EARLIER, FLOOR, LOCAL, Job, Way
from tests.support.databases import new_database

ROWS = 100


@pytest.mark.parametrize("case", [NEW, TENTH], ids=lambda case: case.name)
def test_all_ways_leave_the_same_table(
    server: str, template: str, tmp_path: Path, case: Case
) -> None:
    """Otherwise they would be compared with something that does less."""
    files = Files(tmp_path)
    left = {}
    for way in (FLOOR, LOCAL, EARLIER):
        with new_database(server, template) as name:
            url = make_conninfo(server, dbname=name)
            if case.is_stored:
                run(FLOOR, url, files.base(ROWS))
            run(way, url, case.path(files, ROWS))
            left[way] = contents(url)

    assert left[FLOOR].rows == ROWS
    assert set(left.values()) == {left[FLOOR]}


def test_another_value_is_another_table(database_url: str, tmp_path: Path) -> None:
    """What the test before relies on."""
    files = Files(tmp_path)
    found: list[Contents] = []
    for path in (files.base(ROWS), files.changed(ROWS, every=ROWS)):
        run(FLOOR, database_url, path)
        found.append(contents(database_url))

    assert found[0].rows == found[1].rows == ROWS
    assert found[0] != found[1]


def test_the_parts_of_a_file_have_its_rows(tmp_path: Path) -> None:
    """Ten files in a row are compared with the one that they make."""
    files = Files(tmp_path)
    header, *rows = read(files.base(ROWS))

    parts = [read(path) for path in files.parts(ROWS, 3)]

    assert [part[0] for part in parts] == [header] * 3
    assert [row for part in parts for row in part[1:]] == rows
    assert [len(part) - 1 for part in parts] == [34, 34, 32]


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def run(way: Way, url: str, path: Path) -> None:
    """Run a way in a process of its own."""
    ran = child.run(Job(way=way.name, conninfo=url, path=str(path)), limit_s=60)
    assert ran.peak_mb > 0


def test_a_benchmark_replaces_its_own_section_only(tmp_path: Path) -> None:
    """What people have written around it stays."""
    place = tmp_path / "performance.md"
    marks = "<!-- {0}: begin -->\n{1}\n<!-- {0}: end -->\n"
    old, kept = marks.format("speed", "old"), marks.format("cost", "kept")
    place.write_text(f"Before.\n{old}{kept}", encoding="utf-8")

    page.write(place, "speed", "make bench", "A table.")

    head, _, rest = place.read_text(encoding="utf-8").partition(
        "<!-- speed: begin -->\n"
    )
    body, _, tail = rest.partition("<!-- speed: end -->\n")
    assert (head, tail) == ("Before.\n", kept)
    assert body.startswith("Measured by `make bench` on ")
    assert body.endswith("\n\nA table.\n")


def test_a_section_that_is_missing_is_told(tmp_path: Path) -> None:
    place = tmp_path / "performance.md"
    place.write_text("Nothing here.\n", encoding="utf-8")

    with pytest.raises(ValueError, match="no section speed"):
        page.write(place, "speed", "make bench", "A table.")
