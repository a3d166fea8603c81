"""A dry run shows rows that are older than the stored ones, with both times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import LiteralString

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.importer.options import Options
from salespro_core.importer.shadow_tables import shadow_tables
from salespro_core.model.outcome import SAMPLED_CHANGES, Stale
from salespro_core.postgres import connection
from tests.support.builders import (
    MORNING,
    CsvRow,
    appointment,
    batch,
    csv_bytes,
    upload,
    user,
)
from tests.support.databases import new_database
from tests.support.import_runs import dry_run, new_version, run

OLD, NEW = "2025-06-07T09:00:00.000Z", "2025-06-08T10:00:00.000Z"
NEW_STORED = "2025-06-08 10:00:00+00"
OPTIONS = [Options(), Options(checkpoint_rows=2, batch_size=1)]


@pytest.mark.parametrize("options", OPTIONS, ids=["together", "one-by-one"])
def test_each_stale_row_is_shown_with_both_times(
    database_url: str, conn: Connection, options: Options
) -> None:
    """Rows that would be written, equal rows and rejects are not shown."""
    keys = ("older", "undated", "edited", "same")
    run(conn, csv_bytes(*(appointment(key, _updated_at=NEW) for key in keys)))
    rows = [
        appointment("older", _updated_at=OLD),
        appointment("undated", _updated_at=""),
        appointment("edited", _updated_at=NEW, saleAmount="1"),
        appointment("same", _updated_at=NEW),
        appointment("new", _updated_at=OLD),
        appointment("bad", _updated_at=OLD, saleAmount="x"),
    ]

    outcome = dry_run(database_url, csv_bytes(*rows), options=options)

    assert outcome.counts.stale == 2
    assert outcome.stale == (
        Stale(key="older", stored=NEW_STORED, incoming="2025-06-07 09:00:00+00"),
        Stale(key="undated", stored=NEW_STORED, incoming=None),
    )


@pytest.mark.parametrize("is_lenient", [False, True], ids=["no-column", "invalid-cell"])
def test_row_without_timestamp_is_stale_if_the_stored_row_has_one(
    database_url: str, conn: Connection, *, is_lenient: bool
) -> None:
    run(conn, csv_bytes(appointment("A", _updated_at=NEW)))
    row = {"_id": "A", "saleAmount": "1"} | (
        {"_updated_at": "bad"} if is_lenient else {}
    )

    outcome = dry_run(
        database_url, csv_bytes(row), options=Options(is_lenient=is_lenient)
    )

    assert outcome.stale == (Stale(key="A", stored=NEW_STORED, incoming=None),)


@pytest.mark.parametrize("options", OPTIONS, ids=["together", "one-by-one"])
def test_stale_users_have_the_times_of_their_uploads(
    database_url: str, conn: Connection, options: Options
) -> None:
    run(conn, csv_bytes(user("U1"), user("U2")), new_version(upload()))
    late = new_version(upload(uploaded_at=MORNING - timedelta(days=1)))

    outcome = dry_run(
        database_url, csv_bytes(user("U1"), user("U3")), late, options=options
    )

    assert outcome.stale == (
        Stale(
            key="U1", stored="2025-06-18 06:00:00+00", incoming="2025-06-17 06:00:00+00"
        ),
    )


def test_of_many_stale_rows_the_first_are_shown(
    database_url: str, conn: Connection
) -> None:
    keys = [f"{n:03}" for n in range(3 * SAMPLED_CHANGES)]
    run(conn, csv_bytes(*(appointment(key, _updated_at=NEW) for key in keys)))
    data = csv_bytes(*(appointment(key, _updated_at=OLD) for key in keys))

    outcome = dry_run(database_url, data, options=Options(checkpoint_rows=15))

    assert outcome.counts.stale == 3 * SAMPLED_CHANGES
    assert [row.key for row in outcome.stale] == keys[:SAMPLED_CHANGES]


@pytest.mark.parametrize(
    ("row", "table", "others"),
    [
        (appointment, APPOINTMENTS.table, ["B", "C"]),
        (user, USERS.table, ["B", "C"]),
        (user, USERS.seen_table, ["B", "C"]),
    ],
    ids=["appointments", "users", "users-seen"],
)
def test_only_stored_rows_with_a_key_of_the_file_are_copied(
    conn: Connection,
    row: Callable[[str], CsvRow],
    table: str,
    others: list[str],
) -> None:
    """A dry run of a small file must not copy a table of millions of rows."""
    run(conn, csv_bytes(row("A"), *(row(key) for key in others)))
    layout, sent = batch(row("A"), row("D"))

    with shadow_tables(conn, layout.export) as shadows:
        shadows.copy_stored(sent)
        rows = conn.execute(f"SELECT * FROM pg_temp.{table}".encode()).fetchall()  # noqa: S608

    assert [row[0] for row in rows] == ["A"]


def test_stored_rows_are_copied_beside_keys_that_the_encoding_lacks(
    server: str,
) -> None:
    """Postgres refuses the whole list of keys, so it is halved until the bad ones are found."""
    keys = [f"{number}-Zoë" for number in range(1, 10)]
    options: LiteralString = "ENCODING 'LATIN1' LOCALE 'C'"
    with new_database(server, "template0", options) as name:
        url = make_conninfo(server, dbname=name)
        with connection.connect(url) as conn:
            connection.migrate(conn)
            run(conn, csv_bytes(*map(appointment, keys)))
            layout, sent = batch(*map(appointment, [*keys, "4-Łukasz", "8-Łukasz"]))

            with shadow_tables(conn, layout.export) as shadows:
                shadows.copy_stored(sent)
                rows = conn.execute(
                    "SELECT id FROM pg_temp.salespro_appointment ORDER BY id"
                ).fetchall()

    assert [key for (key,) in rows] == keys
