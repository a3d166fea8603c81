"""Plans and WAL of the statement."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.postgres.session import transaction
from salespro_core.records.array_literals import array_literal
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.sql import upsert_statement
from tests.core.upsert.writers import (
    USER_KEY,
    BatchWriter,
    only_columns,
    processed_rows,
)
from tests.support.builders import MORNING, CsvRow, appointment, batch, user
from tests.support.table_contents import APPOINTMENT_TABLE, TABLES

FILL = {
    APPOINTMENTS: """
        INSERT INTO salespro_appointment (id, updated_at, salesrep_email)
        SELECT i, now(), i || '@example.com' FROM generate_series(1, %s) AS i""",
    USERS: """
        WITH seen AS (INSERT INTO salespro_users_seen
                      SELECT i, now() FROM generate_series(1, %s) AS i RETURNING *)
        INSERT INTO salespro_users (user_object_id) SELECT user_object_id FROM seen""",
}  # fmt: skip


def fill_and_analyse(conn: Connection, export: Export, size: int) -> None:
    conn.execute(FILL[export], [size])
    conn.execute("ANALYZE")


def fill_after_analyse_of_one_row(conn: Connection, export: Export, size: int) -> None:
    """The first ANALYZE found one row."""
    disable_autovacuum(conn)
    fill_and_analyse(conn, export, 1)
    for table in TABLES:
        conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    conn.execute(FILL[export], [size])


def fill_after_analyse_of_no_row(conn: Connection, export: Export, size: int) -> None:
    """ANALYZE found an empty table, as before the first large import."""
    disable_autovacuum(conn)
    fill_and_analyse(conn, export, 0)
    conn.execute(FILL[export], [size])


def disable_autovacuum(conn: Connection) -> None:
    alter = sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)")
    for table in TABLES:
        conn.execute(alter.format(sql.Identifier(table)))


@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
@pytest.mark.parametrize(
    "has_before_triggers", [False, True], ids=["no-triggers", "triggers"]
)
@pytest.mark.parametrize(
    ("fill", "size"),
    [
        pytest.param(fill_and_analyse, 0, id="empty"),
        pytest.param(fill_and_analyse, 10, id="10-rows"),
        pytest.param(fill_and_analyse, 1_000, id="1000-rows"),
        pytest.param(fill_and_analyse, 200_000, id="200000-rows"),
        pytest.param(fill_after_analyse_of_one_row, 20_000, id="outdated-statistics"),
        pytest.param(fill_after_analyse_of_no_row, 200_000, id="statistics-of-nothing"),
    ],
)
def test_plan_never_scans_a_whole_table(
    conn: Connection,
    export: Export,
    fill: Callable[[Connection, Export, int], None],
    size: int,
    *,
    compare_before_insert: bool,
    has_before_triggers: bool,
) -> None:
    """The cost of a batch must not grow with the table beyond the depth of the index.

    Both the plan for given values and the generic plan of a prepared statement.
    """
    make_row, key = (appointment, "_id") if export is APPOINTMENTS else (user, USER_KEY)
    rows = [make_row(str(i)) for i in range(500)]
    fill(conn, export, size)

    for records_changes in (False, True):
        form: dict[str, Any] = {
            "compare_before_insert": compare_before_insert,
            "has_before_triggers": has_before_triggers,
            "records_changes": records_changes,
        }
        with transaction(conn):
            plan = explain(conn, *rows, **form)
            assert scanned_tables(plan) == []
            only_keys = (only_columns(row, key) for row in rows)
            plan = explain(conn, *only_keys, **form)
            assert scanned_tables(plan) == []
            plan = generic_plan(conn, export, **form)
            assert scanned_tables(plan) == []
            conn.execute("DEALLOCATE upsert")


def test_scan_of_a_whole_table_is_detected(conn: Connection) -> None:
    """Otherwise the test above proves nothing."""
    fill_and_analyse(conn, APPOINTMENTS, 10)
    conn.execute("SET enable_seqscan = on")

    cursor = conn.execute("EXPLAIN (FORMAT JSON) SELECT FROM salespro_appointment")

    assert scanned_tables(first_plan(cursor)) == [APPOINTMENT_TABLE]


@pytest.mark.parametrize("compare_before_insert", [True], indirect=True)
def test_same_batch_again_writes_almost_no_wal(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    rows = [appointment(f"A-{i}", customer_nameLast="x" * 100) for i in range(500)]
    created = wal_bytes(conn, claim, *rows, records_changes=write.records_changes)
    write(conn, claim, *rows)  # the first reader of a new row sets its hint bits

    again = wal_bytes(conn, claim, *rows, records_changes=write.records_changes)

    # A checkpoint of the server may add a page or two.
    assert created > 100_000
    assert again < created / 10


def wal_bytes(
    conn: Connection, claim: Claim, *rows: CsvRow, records_changes: bool
) -> int:
    """Bytes of WAL that the statement for these rows writes."""
    plan = explain(
        conn,
        *rows,
        compare_before_insert=True,
        records_changes=records_changes,
        claim=claim,
        options="ANALYZE, WAL, ",
    )
    return int(plan["Plan"]["WAL Bytes"])


# Keys of a plan node that looks rows up; a bitmap heap scan has a recheck.
BY_KEY = {"Index Cond", "Recheck Cond"}


def explain(
    conn: Connection,
    *rows: CsvRow,
    compare_before_insert: bool,
    has_before_triggers: bool = False,
    records_changes: bool = False,
    claim: Claim | None = None,
    options: str = "",
) -> dict[str, Any]:
    """The plan of the statement, with these rows as the importer sends them."""
    layout, sent = batch(*rows)
    parameters: dict[str, object] = {
        column.name: array_literal(cells, is_text=column.column_type.is_text)
        for column, cells in zip(layout.columns, sent.columns, strict=True)
    }
    parameters |= {
        "import_id": claim.import_id if claim else 1,
        "attempt": claim.attempt if claim else 1,
        "checkpoint": processed_rows(conn, claim) if claim else 0,
        "lease": claims.LEASE,
        "uploaded_at": MORNING,
        "sent": len(rows),
        "duplicate": 0,
        "rejected": 0,
    }
    statement = upsert_statement(
        layout.export,
        layout.columns,
        "public",
        compare_before_insert=compare_before_insert,
        has_before_triggers=has_before_triggers,
        records_changes=records_changes,
    ).as_string()
    return first_plan(
        conn.execute(f"EXPLAIN ({options}FORMAT JSON) {statement}".encode(), parameters)
    )


def generic_plan(
    conn: Connection,
    export: Export,
    *,
    compare_before_insert: bool,
    has_before_triggers: bool,
    records_changes: bool,
) -> dict[str, Any]:
    """The plan that does not depend on the values."""
    statement = upsert_statement(
        export,
        export.columns,
        "public",
        compare_before_insert=compare_before_insert,
        has_before_triggers=has_before_triggers,
        records_changes=records_changes,
    ).as_string()
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    for position, name in enumerate(names, 1):
        statement = statement.replace(f"%({name})s", f"${position}")
    conn.execute("SET plan_cache_mode = force_generic_plan")
    conn.execute(f"PREPARE upsert AS {statement}".encode())
    nulls = ", ".join(["NULL"] * len(names))
    return first_plan(
        conn.execute(f"EXPLAIN (FORMAT JSON) EXECUTE upsert({nulls})".encode())
    )


def first_plan(cursor: psycopg.Cursor) -> dict[str, Any]:
    row = cursor.fetchone()
    assert row is not None
    return dict(row[0][0])


def scanned_tables(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads completely, also through an index."""
    nodes = [plan["Plan"]]
    tables = []
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        is_whole = "Scan" in node["Node Type"] and not BY_KEY & node.keys()
        if "Relation Name" in node and is_whole:
            tables.append(node["Relation Name"])
    return tables
