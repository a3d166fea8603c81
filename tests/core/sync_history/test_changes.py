"""What an import has changed, row by row."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from unittest.mock import ANY

import psycopg
import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.changes import RowChange, created_keys, open_changes
from tests.core.sync_history.history_rows import undo
from tests.core.upsert.test_query_plans import first_plan, scanned_tables
from tests.support.builders import MORNING, appointment, csv_bytes, upload, user
from tests.support.import_runs import new_version, run

TABLE = "salespro_appointment"
OLD, NEW = "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z"


class Found(NamedTuple):
    """What `open_changes` finds."""

    updated: list[RowChange]
    created: list[RowChange]
    deleted: list[RowChange]


def changes_of(conn: Connection, import_id: int, limit: int = 100) -> Found:
    with open_changes(conn, import_id, DEFAULTS.exports) as changes:
        assert changes is not None
        assert changes.are_kept
        return Found(
            list(changes.updated(limit)),
            list(changes.created(limit)),
            list(changes.deleted(limit)),
        )


def keys(changes: list[RowChange]) -> list[str]:
    return [change.key for change in changes]


def test_updated_rows_have_old_and_new_texts_and_created_rows_their_keys(
    conn: Connection,
) -> None:
    run(
        conn,
        csv_bytes(
            appointment("B", saleAmount="12.50", _updated_at=OLD),
            appointment("same"),
        ),
    )
    updated = appointment(
        "B", saleAmount="", customer_nameLast='O"x\n', _updated_at=NEW
    )
    run(
        conn,
        csv_bytes(updated, appointment("same"), appointment("C"), appointment("A")),
    )

    first, second = changes_of(conn, 1), changes_of(conn, 2)

    assert (first.updated, keys(first.created), first.deleted) == (
        [],
        ["B", "same"],
        [],
    )
    [change] = second.updated
    assert (change.table, change.key, change.kind) == (TABLE, "B", "updated")
    assert change.changed_at is not None
    assert change.fields == {
        "updated_at": ("2025-06-01 00:00:00+00", "2025-06-02 00:00:00+00"),
        "customer_last_name": (appointment()["customer.nameLast"], 'O"x\n'),
        "sale_amount": ("12.50", None),
    }
    assert keys(second.created) == ["A", "C"]


def test_rows_of_users_are_found_and_bookkeeping_is_left_out(conn: Connection) -> None:
    run(conn, csv_bytes(user("u", First_Name="Ann")), upload())
    later = upload(version="v2", uploaded_at=MORNING + timedelta(hours=1))
    run(conn, csv_bytes(user("u", First_Name="Bea"), user("v")), later)

    found = changes_of(conn, 2)
    # It also records what it does to the user's memory of uploads.
    undone = changes_of(conn, undo(conn, 2))

    [change] = found.updated
    assert (change.table, change.key) == ("salespro_users", "u")
    assert change.fields["first_name"] == ("Ann", "Bea")
    assert keys(found.created) == ["v"]
    assert (keys(undone.updated), keys(undone.deleted)) == (["u"], ["v"])
    assert {change.table for changes in undone for change in changes} == {
        "salespro_users"
    }


def test_several_changes_of_one_row_are_in_their_order(conn: Connection) -> None:
    """A row twice in a file, in two chunks."""
    rows = [
        appointment("B", saleAmount=f"{n}.00", _updated_at=f"2025-06-0{n}T00:00:00Z")
        for n in (1, 2, 3)
    ]
    data = csv_bytes(*rows, appointment("A"))

    run(conn, data, options=Options(checkpoint_rows=1, batch_size=1))

    found = changes_of(conn, 1)
    assert [change.fields["sale_amount"] for change in found.updated] == [
        ("1.00", "2.00"),
        ("2.00", "3.00"),
    ]
    assert keys(found.created) == ["A", "B"]


def test_limit_takes_the_first_keys_in_the_order_of_their_bytes(
    conn: Connection,
) -> None:
    rows = [appointment(key, saleAmount="1", _updated_at=OLD) for key in "bBaA"]
    run(conn, csv_bytes(*rows))
    run(conn, csv_bytes(*(row | {"_updated_at": NEW} for row in rows)))

    assert keys(changes_of(conn, 1, limit=3).created) == ["A", "B", "a"]
    assert keys(changes_of(conn, 2, limit=3).updated) == ["A", "B", "a"]


def test_undo_has_deleted_updated_and_created_rows(conn: Connection) -> None:
    blank = appointment("A", saleAmount="12.50", customer_nameLast="", _updated_at=OLD)
    run(conn, csv_bytes(blank))
    sold = appointment("A", saleAmount="13.00", customer_nameLast="", _updated_at=NEW)
    run(conn, csv_bytes(sold))

    of_update = undo(conn, 2)
    of_creation = undo(conn, 1)
    of_undo = undo(conn, of_creation)

    assert changes_of(conn, of_update) == Found(
        [
            RowChange(
                table=TABLE,
                key="A",
                kind="updated",
                changed_at=ANY,
                fields={
                    "updated_at": ("2025-06-02 00:00:00+00", "2025-06-01 00:00:00+00"),
                    "sale_amount": ("13.00", "12.50"),
                },
            )
        ],
        [],
        [],
    )
    [change] = changes_of(conn, of_creation).deleted
    assert (change.key, change.kind) == ("A", "deleted")
    assert change.fields["sale_amount"] == ("12.50", None)
    assert change.fields["is_sale"] == ("true", None)
    assert not {"created_by_import", "customer_last_name"} & change.fields.keys()
    again = changes_of(conn, of_undo)
    assert (again.updated, keys(again.created), again.deleted) == ([], ["A"], [])


def test_created_rows_that_an_undo_has_deleted_are_still_told(conn: Connection) -> None:
    run(conn, csv_bytes(*map(appointment, "ABC")))

    first = undo(conn, 1)
    deleted = keys(changes_of(conn, 1).created)
    undo(conn, first)

    assert deleted == ["A", "B", "C"]
    assert keys(changes_of(conn, 1).created) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("state", "have_expired"), [(None, False), ("expired", True)], ids=str
)
def test_import_without_kept_changes_says_so(
    conn: Connection, state: str | None, *, have_expired: bool
) -> None:
    run(conn, csv_bytes(appointment()), options=Options(keep_changes_days=0))
    conn.execute("UPDATE salespro_sync_history SET changes = %s", [state])

    with open_changes(conn, 1, DEFAULTS.exports) as changes:
        assert changes is not None
        assert (changes.are_kept, changes.have_expired) == (False, have_expired)


def test_missing_import_is_none_and_unrecognised_file_has_no_changes(
    conn: Connection,
) -> None:
    run(conn, b"hello,world\n1,2\n")

    assert changes_of(conn, 1) == ([], [], [])
    with open_changes(conn, 2, DEFAULTS.exports) as changes:
        assert changes is None


@pytest.mark.parametrize(
    "missing",
    [
        "ALTER TABLE salespro_sync_history DROP COLUMN changes",
        "ALTER TABLE salespro_sync_history DROP COLUMN undoes",
        "ALTER TABLE salespro_appointment DROP COLUMN created_by_import",
        "DROP TABLE salespro_changes",
        "DROP TABLE salespro_sync_history",
    ],
)
def test_database_that_is_not_migrated_is_refused_with_the_command(
    conn: Connection, missing: str
) -> None:
    run(conn, csv_bytes(appointment()))
    conn.execute(missing.encode())

    with (
        pytest.raises(
            StoreRefused, match=r"run `salespro migrate`|Run `salespro migrate`"
        ),
        store_errors("reading the changes"),
    ):
        changes_of(conn, 1)


FILL = {
    APPOINTMENTS: "INSERT INTO salespro_appointment (id, created_by_import)"
    " SELECT n, n / 1000 FROM generate_series(1, 100000) AS n",
    USERS: "INSERT INTO salespro_users (user_object_id, created_by_import)"
    " SELECT n, n / 1000 FROM generate_series(1, 100000) AS n",
}


@pytest.mark.parametrize("export", FILL, ids=["appointments", "users"])
@pytest.mark.parametrize("is_undo", [False, True], ids=["import", "undo"])
@pytest.mark.parametrize(
    "is_analysed", [False, True], ids=["no-statistics", "analysed"]
)
def test_created_rows_are_found_by_the_index_of_their_import(
    conn: Connection, export: Export, *, is_undo: bool, is_analysed: bool
) -> None:
    """And not by reading the table in the order of its keys."""
    conn.execute(FILL[export].encode())
    if is_analysed:
        conn.execute("ANALYZE")
    query = created_keys(export, is_undo=is_undo).as_string()
    values = {"import_id": 50, "table": export.table, "limit": 10}

    # Opened for the settings of its transaction.
    with open_changes(conn, 1, ()):
        plan = first_plan(
            conn.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), values)
        )

    assert export.table not in scanned_tables(plan)
    assert f"{export.table}_created_by" in str(plan)


def test_changes_are_of_one_moment(conn: Connection, database_url: str) -> None:
    run(conn, csv_bytes(*map(appointment, "AB")))

    with (
        psycopg.connect(database_url, autocommit=True) as other,
        open_changes(conn, 1, DEFAULTS.exports) as changes,
    ):
        assert changes is not None
        other.execute("DELETE FROM salespro_appointment")

        assert keys(list(changes.created(10))) == ["A", "B"]


def test_update_that_was_read_is_of_its_upload(conn: Connection) -> None:
    """Two imports of one table do not mix."""
    for day in (1, 2, 3):
        data = csv_bytes(appointment("A", _updated_at=f"2025-06-0{day}T00:00:00Z"))
        run(conn, data, new_version())

    for import_id, day in ((2, 1), (3, 2)):
        [change] = changes_of(conn, import_id).updated
        assert change.fields == {
            "updated_at": (
                f"2025-06-0{day} 00:00:00+00",
                f"2025-06-0{day + 1} 00:00:00+00",
            )
        }
