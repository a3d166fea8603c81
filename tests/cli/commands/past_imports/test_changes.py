"""Acceptance: `salespro changes`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg import Connection

from salespro_core.postgres import connection
from tests.core.sync_history.history_rows import undo
from tests.support.builders import appointment, csv_bytes
from tests.support.terminal import NEW_YORK, Terminal

OLD, NEW = "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z"
BEFORE = [
    appointment("A", customer_nameLast="Garcia", _updated_at=OLD),
    appointment("B"),
]
AFTER = [
    appointment("A", customer_nameLast="García", saleAmount="", _updated_at=NEW),
    appointment("B"),
    *(appointment(f"C{n:02}") for n in range(12)),
]


@pytest.fixture
def two_imports(terminal: Terminal, conn: Connection) -> Terminal:
    """Import 1 creates A and B; import 2 updates A and creates twelve more."""
    for name, rows in (("before.csv", BEFORE), ("after.csv", AFTER)):
        terminal.write(name, csv_bytes(*rows))
        assert terminal.run("import", name).code == 0
    conn.execute("""
        UPDATE salespro_sync_history
           SET started_at = timestamptz '2025-09-18 15:32:08+00' + id * interval '1 hour'""")
    conn.execute("UPDATE salespro_changes SET changed_at = '2025-09-18 17:33:00+00'")
    return terminal


def as_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_changes_of_an_import_are_its_updated_and_created_rows(
    two_imports: Terminal,
) -> None:
    done = two_imports.run("changes", "#2", **NEW_YORK)

    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
Import 2: after.csv
csv_appointments, completed, 2025-09-18 13:32:08 EDT, 12 created, 1 updated, 1 unchanged

Updated, the first 1 of 1:
  A
    updated_at: 2025-06-01 00:00:00+00 -> 2025-06-02 00:00:00+00
    customer_last_name: Garcia -> García
    sale_amount: 12.50 -> (none)

Created, the first 10 of 12:
  C00
  C01
  C02
  C03
  C04
  C05
  C06
  C07
  C08
  C09
"""
    )


def test_json_has_a_line_for_the_import_and_one_for_each_change(
    two_imports: Terminal,
) -> None:
    done = two_imports.run("changes", "2", "--json", "--limit", "2")

    assert (done.code, done.err) == (0, "")
    import_, updated, *created = as_lines(done.out)
    assert (import_["id"], import_["created"], import_["undoes"]) == (2, 12, None)
    assert import_["file"] == str(two_imports.folder / "after.csv")
    assert "test_" in import_["database"]
    assert updated == {
        "kind": "updated",
        "table": "salespro_appointment",
        "key": "A",
        "changed_at": "2025-09-18T17:33:00+00:00",
        "fields": {
            "updated_at": {
                "old": "2025-06-01 00:00:00+00",
                "new": "2025-06-02 00:00:00+00",
            },
            "customer_last_name": {"old": "Garcia", "new": "García"},
            "sale_amount": {"old": "12.50", "new": None},
        },
    }
    assert created == [
        {
            "kind": "created",
            "table": "salespro_appointment",
            "key": key,
            "changed_at": None,
            "fields": {},
        }
        for key in ("C00", "C01")
    ]


def test_story_of_a_row_says_which_file_changed_it_when_and_from_what_to_what(
    two_imports: Terminal,
) -> None:
    text = two_imports.run("changes", "--id", "A", **NEW_YORK)
    as_json = two_imports.run("changes", "--id", "A", "--json").json()

    assert (text.code, text.err) == (0, "")
    assert (
        text.out
        == """\
A is stored in salespro_appointment.
  2025-09-18 12:32  created by import 1, before.csv
  2025-09-18 13:33  updated by import 2, after.csv
    updated_at: 2025-06-01 00:00:00+00 -> 2025-06-02 00:00:00+00
    customer_last_name: Garcia -> García
    sale_amount: 12.50 -> (none)
"""
    )
    assert as_json["id"] == "A"
    [row] = as_json["rows"]
    assert (row["table"], row["is_stored"]) == ("salespro_appointment", True)
    created, updated = row["events"]
    assert created == {
        "kind": "created",
        "table": "salespro_appointment",
        "key": "A",
        "changed_at": "2025-09-18T16:32:08+00:00",
        "fields": {},
        "import": 1,
        "file": str(two_imports.folder / "before.csv"),
        "undoes": None,
    }
    assert (updated["kind"], updated["import"]) == ("updated", 2)
    assert updated["fields"]["sale_amount"] == {"old": "12.50", "new": None}


def test_undo_is_told_in_its_changes_and_in_the_story(
    two_imports: Terminal, conn: Connection
) -> None:
    # An old import would have expired.
    conn.execute("UPDATE salespro_sync_history SET started_at = now()")
    undo(conn, 2)
    second = undo(conn, 1)
    undo(conn, second)

    of_undo = two_imports.run("changes", str(second))
    story = two_imports.run("changes", "--id", "A")
    of_import = two_imports.run("changes", "1")

    head, _, empty, *deleted = of_undo.out.splitlines()
    assert head.startswith("Import 4: undo of import 1 (")
    assert empty == ""
    assert deleted == ["Deleted, the first 2 of 2:", "  A", "  B"]
    lines = [line.partition("  ")[2] for line in story.out.splitlines()]
    texts = [line[18:] for line in lines if line[:2] == "20"]
    assert texts[2:] == [
        "set back by the undo of import 2 (import 3)",
        "deleted by the undo of import 1 (import 4)",
        "created again by the undo of import 4 (import 5)",
    ]
    assert "    sale_amount: (none) -> 12.50" in story.out
    assert story.out.startswith("A is stored in salespro_appointment.\n")
    assert of_import.out.splitlines()[-2:] == ["  A", "  B"]


def test_rows_that_do_not_exist_any_more_are_counted(
    two_imports: Terminal, conn: Connection
) -> None:
    conn.execute("DELETE FROM salespro_appointment WHERE id > 'C05' OR id = 'B'")

    some = two_imports.run("changes", "2")
    conn.execute("DELETE FROM salespro_appointment")
    none = two_imports.run("changes", "1")

    assert some.out.splitlines()[-2:] == [
        "  C05",
        "  The other 6 do not exist any more.",
    ]
    assert none.out.splitlines()[-1] == (
        "Created: 2. None of these rows exists any more."
    )


def test_import_that_changed_nothing_says_so(two_imports: Terminal) -> None:
    two_imports.write("again.csv", csv_bytes(*AFTER))
    two_imports.run("import", "again.csv")

    done = two_imports.run("changes", "3")

    assert done.out.splitlines()[2:] == ["", "It has changed no row."]
    assert len(as_lines(two_imports.run("changes", "3", "--json").out)) == 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (
            None,
            "KEEP_CHANGES_DAYS was 0, they have expired, or an older version imported it",
        ),
        ("expired", "KEEP_CHANGES_DAYS days have passed"),
    ],
)
def test_import_whose_changes_are_not_kept_is_an_error_with_the_reason(
    two_imports: Terminal, conn: Connection, state: str | None, reason: str
) -> None:
    conn.execute("UPDATE salespro_sync_history SET changes = %s", [state])

    done = two_imports.run("changes", "2")

    assert done.error == (
        f"What import 2 changed is not kept: {reason}. See its counts: salespro show 2"
    )
    assert done.out == ""


def test_missing_import_and_missing_row_are_errors(two_imports: Terminal) -> None:
    import_ = two_imports.run("changes", "99")
    row = two_imports.run("changes", "--id", "a\x1b[31m")
    as_json = two_imports.run("changes", "--id", "", "--json")

    assert import_.error == (
        "Import 99 does not exist. `salespro history` lists the imports."
    )
    assert row.error == (
        "No appointment or user has the id a [31m, and no change of one is kept. "
        "Ids are case-sensitive."
    )
    assert as_json.json() == {"error": as_json.error, "exit_code": 1}


def test_id_of_bytes_that_are_not_text_is_an_error(two_imports: Terminal) -> None:
    assert "has the id" in two_imports.run("changes", "--id", "\udcff").error


def test_row_created_before_changes_were_kept(terminal: Terminal) -> None:
    terminal.write("before.csv", csv_bytes(*BEFORE))
    terminal.run("import", "before.csv", KEEP_CHANGES_DAYS="0")

    done = terminal.run("changes", "--id", "A")

    assert done.out == (
        "A is stored in salespro_appointment.\n"
        "  unknown time      created before changes were kept, or by an import that "
        "kept none\n"
    )


def test_database_that_is_not_migrated_is_an_error_with_the_command(
    two_imports: Terminal, conn: Connection
) -> None:
    conn.execute("DROP TABLE salespro_changes")

    for args in (("2",), ("--id", "A")):
        done = two_imports.run("changes", *args, "--json")
        assert "run `salespro migrate`" in done.error
        assert done.json()["exit_code"] == 1


def test_cells_cannot_control_the_terminal(terminal: Terminal) -> None:
    cell = "\x1b[2J\u202e\x07\nnext line"
    rows = (
        appointment("A", _updated_at=OLD),
        appointment("A", customer_nameLast=cell, _updated_at=NEW),
    )
    for number, row in enumerate(rows):
        terminal.write(f"{number}.csv", csv_bytes(row))
        assert terminal.run("import", f"{number}.csv").code == 0

    for args in (("2",), ("--id", "A")):
        text = terminal.run("changes", *args)
        as_json = terminal.run("changes", *args, "--json")
        assert "customer_last_name: " in text.out
        assert "-> " in text.out
        assert text.out.replace("\n", "").isprintable()
        assert as_json.out.replace("\n", "").isprintable()
        assert json.dumps(cell)[1:-1] in as_json.out


def test_reader_that_stops_reading_does_not_keep_a_transaction_open(
    two_imports: Terminal, conn: Connection
) -> None:
    """As `less` does: the output is larger than a pipe."""
    conn.execute("""
        INSERT INTO salespro_appointment (id, created_by_import)
        SELECT 'D' || n, 2 FROM generate_series(1, 100000) AS n""")
    conn.execute("UPDATE salespro_sync_history SET records_created = 100012,"
                 " records_processed = 100014 WHERE id = 2")  # fmt: skip

    with two_imports.start("changes", "2", "--limit", "200000") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Import 2: after.csv\n"
        with connection.connect(two_imports.environ["DATABASE_URL"]) as other:
            [[sessions]] = other.execute("""
                SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND xact_start IS NOT NULL
                   AND pid <> pg_backend_pid()""").fetchall()
        rest = process.stdout.read().splitlines()

    assert sessions == 0
    assert len(rest) == 1 + 1 + 5 + 2 + 100_012
    assert rest[-1] == "  D99999"
