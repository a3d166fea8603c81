"""Acceptance: `.salespro/` is looked for upwards, and is used only if it is ours."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from tests.support.builders import appointment, csv_bytes
from tests.support.table_contents import APPOINTMENT_TABLE, stored
from tests.support.terminal import Terminal

IS_ROOT = os.geteuid() == 0
# Only root can give files to another user.
OTHER_USER = 23456 if IS_ROOT else 0
FORMS = [
    *("link", "world-writable", "group-writable"),
    *(["folder", "link to ours"] if IS_ROOT else []),
]
# Commands that only read.
READERS = [
    ["history"],
    ["history", "--json"],
    ["show", "1"],
    ["analyze"],
    ["watch"],
    ["psql", "-c", "SELECT 1"],
    ["grants", "importer"],
    ["reconcile"],
]


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal without DATABASE_URL, in a folder that others cannot write to."""
    try:
        yield Terminal(tmp_path)
    finally:
        # Root's cluster is in another folder, which the server's user can enter.
        for link in tmp_path.rglob("pgdata"):
            shutil.rmtree(link.resolve(), ignore_errors=True)


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_command_that_reads_creates_no_database_and_says_how_to_make_one(
    embedded: Terminal, arguments: list[str]
) -> None:
    done = embedded.run(*arguments)

    assert done.error == (
        "There is no database yet: neither this folder nor one above has "
        ".salespro/postgres, and DATABASE_URL is not set. To make one here: "
        "salespro import FILE"
    )
    assert files_below(embedded.folder) == []
    if "--json" in arguments:
        assert done.json()["error"] == done.error
    else:
        assert done.out == ""


def test_command_that_reads_makes_no_database_next_to_earlier_reports(
    embedded: Terminal,
) -> None:
    """An import with DATABASE_URL leaves a .salespro without a database."""
    (embedded.folder / ".salespro" / "reports").mkdir(parents=True)

    assert embedded.run("history").error.startswith("There is no database yet")
    assert files_below(embedded.folder / ".salespro") == ["reports"]


def test_database_of_a_folder_above_is_found_and_named(embedded: Terminal) -> None:
    embedded.write("a.csv", csv_bytes(appointment("A1")))
    below = Terminal(embedded.folder / "june" / "week 1")
    below.folder.mkdir(parents=True)
    assert embedded.run("import", "a.csv", "--json").counts == {"created": 1}
    home = f"{embedded.folder}/.salespro"

    again = below.run("import", "../../a.csv", "--json")
    listed = below.run("history", "--json").json()
    above = embedded.run("history", COLUMNS="200").out
    shown = below.run("history", COLUMNS="200").out

    assert again.counts == {"unchanged": 1}
    assert Path(again.json()["report"]).is_relative_to(f"{home}/reports")
    assert [import_["id"] for import_ in listed] == [2, 1]
    assert again.json()["database"] == f"the embedded Postgres of {home}/"
    assert listed[0]["database"] == f"the embedded Postgres of {home}/"
    assert shown.startswith(f"Imports in the embedded Postgres of {home}/\n\n")
    assert above.startswith("Imports in the embedded Postgres of .salespro/\n\n")
    assert files_below(below.folder) == []


def test_nearest_folder_wins(embedded: Terminal, database_url: str) -> None:
    near = Terminal(embedded.folder / "near", {"DATABASE_URL": database_url})
    for folder in (embedded.folder, near.folder):
        (folder / ".salespro").mkdir(parents=True)
    near.write("a.csv", csv_bytes(appointment()))

    assert near.run("import", "a.csv").code == 0

    assert files_below(near.folder / ".salespro") == ["reports"]
    assert files_below(embedded.folder / ".salespro") == []


def test_search_ends_below_a_folder_that_everyone_may_write_to(
    embedded: Terminal, database_url: str
) -> None:
    """As /tmp, where another user could wait with a .salespro."""
    shared = embedded.folder / "shared"
    below = Terminal(shared / "mine", {"DATABASE_URL": database_url})
    below.folder.mkdir(parents=True)
    shared.chmod(0o1777)
    (shared / ".salespro").mkdir()
    below.write("a.csv", csv_bytes(appointment()))

    assert below.run("import", "a.csv").code == 0

    assert files_below(below.folder) == [".salespro", "a.csv"]
    assert files_below(shared / ".salespro") == []


@pytest.mark.parametrize("place", [".salespro", ".salespro/reports"])
@pytest.mark.parametrize("form", FORMS)
def test_folder_of_another_user_is_refused_and_nothing_is_imported(
    terminal: Terminal, conn: Connection, place: str, form: str
) -> None:
    folder = terminal.folder / place
    folder.parent.mkdir(exist_ok=True)
    target = terminal.folder / "elsewhere"
    target.mkdir()
    if form == "world-writable":
        folder.mkdir()
        folder.chmod(0o777)
    elif form == "group-writable":
        folder.mkdir()
        folder.chmod(0o775)
    elif form == "folder":
        folder.mkdir()
        os.chown(folder, OTHER_USER, OTHER_USER)
    elif form == "link to ours":
        folder.symlink_to(target)
        os.chown(folder, OTHER_USER, OTHER_USER, follow_symlinks=False)
    elif IS_ROOT:
        folder.symlink_to(target)
        os.chown(target, OTHER_USER, OTHER_USER)
    else:
        folder.symlink_to("/")
    terminal.write("a.csv", csv_bytes(appointment()))

    error = terminal.run("import", "a.csv").error

    names = {user.pw_uid: user.pw_name for user in pwd.getpwall()}
    me = names[os.geteuid()]
    other = names.get(OTHER_USER, f"user {OTHER_USER}")
    assert error.startswith(
        f"Every user may write to {place}: it is not used"
        if form == "world-writable"
        else f"The group may write to {place}: it is not used"
        if form == "group-writable"
        else f"{place} belongs to {other}, and you are {me}: it is not used"
    )
    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert files_below(target) == []


def test_own_link_to_another_disk_is_followed(terminal: Terminal) -> None:
    disk = terminal.folder / "disk"
    disk.mkdir()
    (terminal.folder / ".salespro").symlink_to(disk)
    terminal.write("a.csv", csv_bytes(appointment()))

    assert terminal.run("import", "a.csv").code == 0
    assert files_below(disk) == ["reports"]


@pytest.mark.parametrize("existing", [None, 0o755])
def test_reports_can_be_read_by_their_user_alone(
    terminal: Terminal, existing: int | None
) -> None:
    """They contain personal data; earlier versions let everyone read them."""
    reports = terminal.folder / ".salespro" / "reports"
    if existing:
        reports.mkdir(mode=existing, parents=True)
    bad = appointment("A2", saleAmount="much")
    terminal.write("a.csv", csv_bytes(appointment("A1"), bad))
    before = os.umask(0)  # the user's, which the command inherits

    try:
        assert terminal.run("import", "a.csv").code == 0
    finally:
        os.umask(before)

    files = [path for path in reports.rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in (reports, *reports.rglob("*")):
        mode = 0o600 if path in files else 0o700
        assert (path.name, stat.S_IMODE(path.stat().st_mode)) == (path.name, mode)
