"""A recorded change has the exact old and new texts of the fields that differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from tests.core.upsert.batch_upsert.changes import recorded_fields
from tests.core.upsert.writers import BatchWriter
from tests.support.builders import CsvRow, appointment, csv_bytes, upload, user
from tests.support.databases import ignore_case, new_database
from tests.support.import_runs import run

write = BatchWriter(compare_before_insert=True, records_changes=True)

# What JSON, array literals or LIKE would have to escape, and what they would not.
ASCII_TEXTS = [
    'say "no"',
    "back\\slash \\u0041 \\\\",
    "tab\tin it",
    "two\nlines\r\nor three",
    "\x01\x1f\x7f",
    "it's {a,b} [1] %s $1 null  ",
    "null",
]
LATIN_TEXTS = [*ASCII_TEXTS, "Müller-Ñandú ÿ", "a\x85\xa0b"]
ALL_TEXTS = [*LATIN_TEXTS, "Łódź 東京 🏠", "e\u0301", "\u2028\ufeff\uffff"]
TIME = "2025-06-07T10:00:00.000Z"


def text_column(export: Export) -> tuple[str, str]:
    """The label and the name of a column of free text, of a varchar or a text."""
    if export is APPOINTMENTS:
        return "resultFullString", "result_full_string"
    return "Assigned Office", "assigned_office"


def row(export: Export, **cells: str) -> CsvRow:
    return appointment("K", **cells) if export is APPOINTMENTS else user("K", **cells)


def texts_of(conn: Connection, export: Export) -> dict[str, str | None]:
    """Column -> text of the only row."""
    query = sql.SQL("SELECT row_to_json(t), {} FROM {} AS t").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(column.name))
            for column in export.columns
        ),
        sql.Identifier(export.table),
    )
    [(_, *texts)] = conn.execute(query).fetchall()
    return dict(zip((c.name for c in export.columns), texts, strict=True))


@contextmanager
def database(
    server: str, template: str, options: LiteralString
) -> Iterator[Connection]:
    """A connection to a new database with the tables, created with these options."""
    source = "template0" if options else template
    with new_database(server, source, options) as name:
        url = make_conninfo(server, dbname=name)
        with connection.connect(url) as conn:
            connection.migrate(conn)
            yield conn


@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        pytest.param("", ALL_TEXTS, id="utf8"),
        pytest.param("ENCODING 'LATIN1' LOCALE 'C'", LATIN_TEXTS, id="latin1"),
        pytest.param("ENCODING 'SQL_ASCII' LOCALE 'C'", ALL_TEXTS, id="sql-ascii"),
    ],
)
def test_texts_are_recorded_exactly_in_databases_of_each_encoding(
    server: str,
    template: str,
    export: Export,
    options: LiteralString,
    texts: list[str],
) -> None:
    label, name = text_column(export)
    with database(server, template, options) as conn:
        claim = claims.claim(conn, upload())
        write(conn, claim, row(export) | {label: ""})
        old: str | None = None
        for text in [*texts, ""]:
            assert write(conn, claim, row(export) | {label: text}) == Counts(updated=1)

            new = texts_of(conn, export)[name]
            assert new == (text or None)
            assert recorded_fields(conn)[name] == [old, new]
            conn.execute("DELETE FROM salespro_changes")
            old = new


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        pytest.param(
            appointment("K", saleAmount="12.5"),
            appointment("K", saleAmount="1,000"),
            {"sale_amount": ["12.50", "1000.00"]},
            id="number",
        ),
        pytest.param(
            appointment("K", saleAmount=""),
            appointment("K", saleAmount="-0.1"),
            {"sale_amount": [None, "-0.10"]},
            id="number-from-null",
        ),
        pytest.param(
            appointment("K", isSale="TRUE"),
            appointment("K", isSale="no"),
            {"is_sale": ["true", "false"]},
            id="boolean",
        ),
        pytest.param(
            appointment("K", _created_at="2025-06-06T02:16:45.538+02:00"),
            appointment("K", _created_at="2025-06-06T00:16:45.539Z"),
            {
                "created_at": [
                    "2025-06-06 00:16:45.538+00",
                    "2025-06-06 00:16:45.539+00",
                ]
            },
            id="time",
        ),
        pytest.param(
            appointment("K", _updated_at=""),
            appointment("K", _updated_at=TIME),
            {"updated_at": [None, "2025-06-07 10:00:00+00"]},
            id="version-from-null",
        ),
        pytest.param(
            appointment("K"),
            appointment("K", customer_nameLast="garcia", customer_nameFirst=""),
            {
                "customer_last_name": ["Garcia", "garcia"],
                "customer_first_name": ["Maria", None],
            },
            id="case-and-null",
        ),
    ],
)
def test_value_of_each_type_is_recorded_as_its_text(
    conn: Connection,
    claim: Claim,
    before: CsvRow,
    after: CsvRow,
    fields: dict[str, list[str | None]],
) -> None:
    write(conn, claim, before)
    old = texts_of(conn, APPOINTMENTS)

    assert write(conn, claim, after) == Counts(updated=1)

    new = texts_of(conn, APPOINTMENTS)
    assert recorded_fields(conn) == fields
    assert fields == {name: [old[name], new[name]] for name in fields}


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        pytest.param(
            user("K", Last_Login="06/18/2025"),
            user("K", Last_Login="2025-06-19"),
            {"last_login": ["2025-06-18", "2025-06-19"]},
            id="date",
        ),
        pytest.param(
            user("K", Last_Login=""),
            user("K", Last_Login="12/31/1999"),
            {"last_login": [None, "1999-12-31"]},
            id="date-from-null",
        ),
        pytest.param(
            user("K"),
            user("K", Assigned_Office="Towson ( b2 )", Additional_Amount="7"),
            {
                "assigned_office": ["Baltimore ( a1B2c3D4e5 )", "Towson ( b2 )"],
                "office_id": ["a1B2c3D4e5", "b2"],
                "additional_amount": ["25.00", "7.00"],
            },
            id="derived-column",
        ),
    ],
)
def test_user_has_a_record_of_its_values_and_of_the_time_it_was_last_changed(
    conn: Connection,
    claim: Claim,
    before: CsvRow,
    after: CsvRow,
    fields: dict[str, list[str | None]],
) -> None:
    write(conn, claim, before)
    times = "SELECT updated_at::text FROM salespro_users"
    old = conn.execute(times).fetchone()

    assert write(conn, claim, after) == Counts(updated=1)

    new = conn.execute(times).fetchone()
    assert old
    assert new
    assert old != new
    assert recorded_fields(conn) == fields | {"updated_at": [old[0], new[0]]}


def test_edit_by_case_only_is_recorded_in_a_column_that_ignores_case(
    conn: Connection, claim: Claim
) -> None:
    ignore_case(conn, "salespro_appointment", "customer_last_name")
    write(conn, claim, appointment("K", customer_nameLast="Lee"))

    write(conn, claim, appointment("K", customer_nameLast="LEE"))

    assert recorded_fields(conn) == {"customer_last_name": ["Lee", "LEE"]}


@pytest.mark.parametrize(
    "setting",
    [
        "SET DateStyle = 'SQL, DMY'",
        "SET TimeZone = 'Asia/Kathmandu'",
        "SET standard_conforming_strings = off",
    ],
)
def test_records_do_not_depend_on_the_defaults_of_the_role(
    conn: Connection, database_url: str, setting: LiteralString
) -> None:
    """An undo reads them in a session of its own."""
    alter = sql.SQL("ALTER ROLE {} IN DATABASE {} {}").format(
        sql.Identifier(conn.info.user),
        sql.Identifier(conn.info.dbname),
        sql.SQL(setting),
    )
    conn.execute(alter)
    with connection.connect(database_url) as own_conn:
        run(own_conn, csv_bytes(appointment("K", _updated_at="")))
        run(own_conn, csv_bytes(appointment("K", _updated_at=TIME)))

    assert recorded_fields(conn) == {"updated_at": [None, "2025-06-07 10:00:00+00"]}
