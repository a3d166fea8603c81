"""Values are stored as the file has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from tests.core.upsert.writers import BatchWriter
from tests.support.builders import CsvRow, appointment, upload, user
from tests.support.databases import ignore_case, new_database
from tests.support.table_contents import APPOINTMENT_TABLE, USERS_TABLE, clear, stored


@pytest.fixture(scope="module")
def shared_url(server: str, template: str) -> Iterator[str]:
    """A database for all values; creating one takes longer than testing a value."""
    with new_database(server, template) as name:
        yield make_conninfo(server, dbname=name)


@pytest.fixture
def shared_conn(shared_url: str) -> Iterator[Connection]:
    """A connection to the shared database, with empty tables."""
    with connection.connect(shared_url) as conn:
        clear(conn)
        yield conn


@pytest.mark.parametrize(
    "text",
    [
        "O'Brien; DROP TABLE salespro_appointment; --",
        'said "no"',
        '"',
        "back\\slash \\N \\",
        "two\nlines\r\nor three",
        "tab\there",
        "NULL",
        "null",
        "{a,b}",
        "a,b;c",
        "%s %(id)s %% $1",
        "Zoë Łukasz 王 😀 e\u0301",
        " spaces around ",
        "\ufeffmark\u200b",
        "0",
        "=1+1",
    ],
)
def test_text_is_stored_exactly(
    shared_conn: Connection, write: BatchWriter, text: str
) -> None:
    """Array literals are built by our code; no character may end the quotes early."""
    claim = claims.claim(shared_conn, upload())

    write(shared_conn, claim, appointment("A", resultFullString=text), appointment("B"))

    rows = stored(shared_conn, APPOINTMENT_TABLE)
    assert [rows[key]["result_full_string"] for key in ("A", "B")] == [text, "Sold"]


@pytest.mark.parametrize(
    ("label", "cell", "column", "value"),
    [
        ("_created_at", "2025-06-06T00:16:45.538Z", "created_at",
         datetime(2025, 6, 6, 0, 16, 45, 538000, tzinfo=UTC)),
        ("_created_at", "2025-06-06T00:16:45.538-04:00", "created_at",
         datetime(2025, 6, 6, 4, 16, 45, 538000, tzinfo=UTC)),
        ("_created_at", "2025-06-06 23:16:45", "created_at",
         datetime(2025, 6, 6, 23, 16, 45, tzinfo=UTC)),
        ("_created_at", "0001-01-01T00:00:00Z", "created_at",
         datetime(1, 1, 1, tzinfo=UTC)),
        ("_created_at", "9999-12-31T23:59:59.999999Z", "created_at",
         datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("_created_at", "", "created_at", None),
        ("isSale", "True", "is_sale", True),
        ("isSale", "N", "is_sale", False),
        ("isSale", " ", "is_sale", False),
        ("saleAmount", "$23,245.09", "sale_amount", Decimal("23245.09")),
        ("saleAmount", "-0.10", "sale_amount", Decimal("-0.10")),
        ("saleAmount", "9999999999.99", "sale_amount", Decimal("9999999999.99")),
        ("saleAmount", "0", "sale_amount", Decimal(0)),
        ("saleAmount", "", "sale_amount", None),
        ("resultFullString", "", "result_full_string", None),
        ("customer.nameLast", "王" * 100, "customer_last_name", "王" * 100),
        ("_id", " xWMyZ4YEGZ ", "id", "xWMyZ4YEGZ"),
    ],
)  # fmt: skip
def test_cell_of_an_appointment_is_stored_as_its_value(
    shared_conn: Connection,
    write: BatchWriter,
    label: str,
    cell: str,
    column: str,
    value: object,
) -> None:
    """Parsers return text, and Postgres converts it."""
    claim = claims.claim(shared_conn, upload())
    shared_conn.execute("SET DateStyle = 'German'")

    write(shared_conn, claim, appointment() | {label: cell})
    shared_conn.execute("SET DateStyle = 'ISO'")

    (row,) = stored(shared_conn, APPOINTMENT_TABLE).values()
    assert row[column] == value


@pytest.mark.parametrize(
    ("label", "cell", "column", "value"),
    [
        ("Last Login", "06/07/2025", "last_login", date(2025, 6, 7)),
        ("Last Login", "2025/06/07", "last_login", date(2025, 6, 7)),
        ("Last Login", "", "last_login", None),
        ("Active/Inactive", "FALSE", "is_active", False),
        ("Send Credit Apps", "1", "send_credit_apps", True),
        ("Additional Amount", "", "additional_amount", Decimal(0)),
        ("Additional Amount", "99999999.99", "additional_amount", Decimal("99999999.99")),
        ("Assigned Office", "Baltimore ( a1B2c3D4e5 )", "assigned_office",
         "Baltimore ( a1B2c3D4e5 )"),
        ("Assigned Office", "Baltimore ( a1B2c3D4e5 )", "office_id", "a1B2c3D4e5"),
        ("Assigned Office", "Baltimore", "office_id", None),
        ("Unique Identifier", "007", "unique_identifier", "007"),
    ],
)  # fmt: skip
def test_cell_of_a_user_is_stored_as_its_value(
    shared_conn: Connection,
    write: BatchWriter,
    label: str,
    cell: str,
    column: str,
    value: object,
) -> None:
    """Parsers return text, and Postgres converts it."""
    claim = claims.claim(shared_conn, upload())
    shared_conn.execute("SET DateStyle = 'SQL, DMY'")

    write(shared_conn, claim, user() | {label: cell})
    shared_conn.execute("SET DateStyle = 'ISO'")

    (row,) = stored(shared_conn, USERS_TABLE).values()
    assert row[column] == value


@pytest.mark.parametrize(
    ("make_row", "label", "table", "column"),
    [
        (appointment, "customer.nameLast", APPOINTMENT_TABLE, "customer_last_name"),
        (user, "Last Name", USERS_TABLE, "last_name"),
    ],
    ids=["appointments", "users"],
)
def test_edit_by_case_only_is_stored_in_a_column_that_ignores_case(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    make_row: Callable[..., CsvRow],
    label: str,
    table: str,
    column: str,
) -> None:
    """Previously it was counted as unchanged, whenever the file came again."""
    ignore_case(conn, table, column)

    counts = [
        write(conn, claim, make_row("A", **{label: name}))
        for name in ("Lee", "LEE", "LEE")
    ]

    assert counts == [Counts(created=1), Counts(updated=1), Counts(unchanged=1)]
    assert stored(conn, table)["A"][column] == "LEE"
