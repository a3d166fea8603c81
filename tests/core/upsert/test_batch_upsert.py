"""What one batch, and one span of batches, does to the tables."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from salespro_core.csv_reader.header import Layout
from salespro_core.errors import ClaimLost, StoreRefused
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.records.array_literals import array_literal
from salespro_core.records.chunks import Batch, Chunk
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from salespro_core.sync_history import claims, completion
from salespro_core.sync_history.claims import Claim, claim, read_counts
from salespro_core.upsert.batch_upsert import send_batch
from salespro_core.upsert.sql import upsert_statement
from salespro_core.upsert.transaction import write_chunk
from tests.support.builders import MORNING, appointment, batch, csv_bytes, upload, user
from tests.support.databases import new_database
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    SEEN_TABLE,
    TABLES,
    USERS_TABLE,
    clear,
    contents,
    contents_and_versions,
    number,
    row_versions,
    stored,
    wait_until_blocked,
)

NOON = MORNING + timedelta(hours=6)
EVENING = MORNING + timedelta(hours=12)
USER_KEY = "User Object ID"
Row = dict[str, str]


class Way:
    """How the batches of a test are written; both ways leave the same behind."""

    compare_before_insert = True


@pytest.fixture(autouse=True, params=[True, False], ids=["looks-first", "straight"])
def compare_before_insert(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether batches are compared before any row is locked."""
    is_first = bool(request.param)
    monkeypatch.setattr(Way, "compare_before_insert", is_first)
    return is_first


@pytest.fixture
def held(conn: Connection) -> Claim:
    """A claim under which a test writes its batches."""
    return claim(conn, upload())


def write(
    conn: Connection,
    held: Claim,
    *rows: Row,
    uploaded_at: datetime = MORNING,
    duplicate: int = 0,
    rejected: int = 0,
) -> Counts:
    """Write these rows as one batch."""
    layout, sent = batch(*rows)
    return send_batch(
        conn,
        layout,
        replace(sent, duplicate=duplicate, rejected=rejected),
        claim=held,
        checkpoint=checkpoint(conn, held),
        uploaded_at=uploaded_at,
        compare_before_insert=Way.compare_before_insert,
    ).counts()


def checkpoint(conn: Connection, held: Claim) -> int:
    """How far the import under test has come."""
    query = """
        SELECT coalesce(max(records_processed), 0) FROM salespro_sync_history WHERE id = %s
        """
    return number(conn, query, held.import_id)


def without(row: Row, *labels: str) -> Row:
    """A row of a file that lacks these columns."""
    return {label: cell for label, cell in row.items() if label not in labels}


def only(row: Row, *labels: str) -> Row:
    """A row of a file that has these columns alone."""
    return {label: row[label] for label in labels}


def history_of(conn: Connection, held: Claim) -> dict[str, object]:
    return stored(conn, HISTORY_TABLE)[held.import_id]


# --- each row is counted once ---------------------------------------------------------


@pytest.mark.parametrize(
    ("incoming", "written"),
    [
        pytest.param(appointment("B"), Counts(created=1), id="new-key"),
        pytest.param(appointment("a"), Counts(created=1), id="case-of-the-key-matters"),
        pytest.param(appointment("A"), Counts(unchanged=1), id="the-same"),
        pytest.param(
            appointment("A", saleAmount="$12.5"), Counts(unchanged=1), id="same-number"
        ),
        pytest.param(
            appointment("A", isSale="yes"), Counts(unchanged=1), id="same-boolean"
        ),
        pytest.param(
            appointment("A", _created_at="2025-06-06T02:16:45.538+02:00"),
            Counts(unchanged=1),
            id="same-instant",
        ),
        pytest.param(
            appointment("A", saleAmount="12.51"), Counts(updated=1), id="other-number"
        ),
        pytest.param(
            appointment("A", saleAmount=""), Counts(updated=1), id="becomes-null"
        ),
        pytest.param(
            appointment("A", customer_nameLast="garcia"),
            Counts(updated=1),
            id="other-case",
        ),
        pytest.param(
            appointment("A", resultFullString="Sold "),
            Counts(updated=1),
            id="space-at-the-end",
        ),
        pytest.param(
            appointment("A", _updated_at="2025-06-07T10:00:00.001Z"),
            Counts(updated=1),
            id="newer-and-else-the-same",
        ),
        pytest.param(
            appointment("A", _updated_at="2025-06-07T09:59:59.999Z", isSale="FALSE"),
            Counts(stale=1),
            id="older",
        ),
    ],
)
def test_each_appointment_is_counted_once(
    conn: Connection, held: Claim, incoming: Row, written: Counts
) -> None:
    """created, updated, unchanged or stale: the report and the history live on it."""
    write(conn, held, appointment("A"))

    assert write(conn, held, incoming) == written


@pytest.mark.parametrize(
    ("incoming", "uploaded_at", "written"),
    [
        pytest.param(user("B"), NOON, Counts(created=1), id="new-key"),
        pytest.param(user("B"), MORNING, Counts(created=1), id="new-key-in-older-file"),
        pytest.param(
            user("A"), NOON, Counts(unchanged=1), id="the-same-uploaded-again"
        ),
        pytest.param(
            user("A", Last_Login="2025-06-18"),
            NOON,
            Counts(unchanged=1),
            id="same-day-written-otherwise",
        ),
        pytest.param(user("A", Email="a@b.c"), EVENING, Counts(updated=1), id="newer"),
        pytest.param(
            user("A", Email="a@b.c"), NOON, Counts(updated=1), id="equal-time-is-newer"
        ),
        pytest.param(user("A", Email="a@b.c"), MORNING, Counts(stale=1), id="older"),
        pytest.param(user("A"), MORNING, Counts(stale=1), id="older-though-the-same"),
    ],
)
def test_each_user_is_counted_once(
    conn: Connection,
    held: Claim,
    incoming: Row,
    uploaded_at: datetime,
    written: Counts,
) -> None:
    """A users file has no timestamp of its own: what orders two is their upload."""
    write(conn, held, user("A"), uploaded_at=NOON)

    assert write(conn, held, incoming, uploaded_at=uploaded_at) == written


@pytest.mark.parametrize("make", [appointment, user])
def test_one_batch_may_hold_all_four_sorts_of_rows(
    conn: Connection, held: Claim, make: Callable[..., Row]
) -> None:
    """The counts come from one statement; each row must be in exactly one of them."""
    name = "customer_nameLast" if make is appointment else "Last_Name"
    old, new = "2025-06-01T00:00:00Z", "2025-06-30T00:00:00Z"
    version = {"_updated_at": old} if make is appointment else {}
    write(conn, held, make("same"), make("changed"))
    write(conn, held, make("newer"), uploaded_at=EVENING)
    if make is appointment:
        write(conn, held, make("newer", _updated_at=new))

    written = write(
        conn,
        held,
        make("new"),
        make("changed", **{name: "Silva"}),
        make("same"),
        make("newer", **{name: "Silva"}, **version),
    )

    assert written == Counts(created=1, updated=1, unchanged=1, stale=1)


def test_counts_lease_and_checkpoint_move_with_the_rows(conn: Connection) -> None:
    """The checkpoint is in the statement: it cannot run ahead of the rows, nor behind."""
    held = claim(conn, upload(), lease=timedelta(seconds=1))
    write(conn, held, appointment("A"), appointment("B"))
    longer = Claim(
        import_id=held.import_id,
        attempt=held.attempt,
        counts=held.counts,
        is_completed=False,
        lease=timedelta(hours=1),
    )

    write(
        conn,
        longer,
        appointment("A"),
        appointment("B", saleAmount="1"),
        appointment("C"),
        duplicate=5,
        rejected=7,
    )

    row = history_of(conn, held)
    assert read_counts(row) == Counts(
        created=3, updated=1, unchanged=1, duplicate=5, rejected=7
    )
    assert row["records_processed"] == 2 + 3 + 5 + 7
    assert number(
        conn,
        "SELECT extract(epoch FROM lease_expires_at - clock_timestamp())"
        "  FROM salespro_sync_history",
    ) in range(3000, 3601)


# --- what orders two versions ---------------------------------------------------------

OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-07T10:00:00.001Z"


@pytest.mark.parametrize(
    ("stored_at", "incoming_at", "written"),
    [
        pytest.param(OLD, NEW, Counts(updated=1), id="newer"),
        pytest.param(OLD, OLD, Counts(updated=1), id="equal-counts-as-newer"),
        pytest.param(NEW, OLD, Counts(stale=1), id="older"),
        pytest.param("", OLD, Counts(updated=1), id="dated-beats-undated"),
        pytest.param(OLD, "", Counts(stale=1), id="undated-never-beats-dated"),
        pytest.param("", "", Counts(updated=1), id="both-undated"),
        pytest.param(
            "2025-06-07T12:00:00+02:00", OLD, Counts(updated=1), id="equal-elsewhere"
        ),
        pytest.param(
            "2025-06-07T10:00:00+02:00", OLD, Counts(updated=1), id="newer-elsewhere"
        ),
        pytest.param(
            "2025-06-07T10:00:00.000001Z",
            OLD,
            Counts(stale=1),
            id="a-microsecond-older",
        ),
    ],
)
def test_the_newer_version_of_an_appointment_wins(
    conn: Connection, held: Claim, stored_at: str, incoming_at: str, written: Counts
) -> None:
    """The earlier system let an older file overwrite a newer row, unnoticed."""
    write(conn, held, appointment("A", _updated_at=stored_at, saleAmount="1"))

    got = write(conn, held, appointment("A", _updated_at=incoming_at, saleAmount="2"))

    amount = stored(conn, APPOINTMENT_TABLE)["A"]["sale_amount"]
    assert got == written
    assert amount == (Decimal(1) if written.stale else Decimal(2))


@pytest.mark.parametrize(
    ("stored_at", "written"),
    [
        pytest.param(OLD, Counts(stale=1), id="never-beats-a-dated-row"),
        pytest.param("", Counts(updated=1), id="may-change-an-undated-row"),
    ],
)
def test_a_file_without_timestamps(
    conn: Connection, held: Claim, stored_at: str, written: Counts
) -> None:
    """Nobody can say that such a file is newer than what is stored with a date."""
    write(conn, held, appointment("A", _updated_at=stored_at, saleAmount="1"))

    row = without(appointment("A", saleAmount="2"), "_updated_at")

    assert write(conn, held, row) == written


# --- nothing is written for a row that does not change --------------------------------


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(appointment("A"), id="unchanged"),
        pytest.param(appointment("A", _updated_at=OLD, isSale="no"), id="stale"),
    ],
)
@pytest.mark.parametrize("compare_before_insert", [True], indirect=True)
def test_an_appointment_that_does_not_change_is_not_even_locked(
    conn: Connection, held: Claim, row: Row
) -> None:
    """Most rows of a file were in yesterday's; a lock alone would rewrite their pages."""
    write(conn, held, appointment("A", _updated_at=NEW))
    before = row_versions(conn, APPOINTMENT_TABLE)
    row = row if row["_updated_at"] == OLD else row | {"_updated_at": NEW}

    write(conn, held, row)

    assert row_versions(conn, APPOINTMENT_TABLE) == before
    assert before["A"][1] == "0"


@pytest.mark.parametrize("compare_before_insert", [True], indirect=True)
def test_replaying_a_batch_costs_no_log_of_the_table(
    conn: Connection, held: Claim
) -> None:
    """What a redelivery costs is the checkpoint, whatever the size of the file."""
    rows = [appointment(f"A-{i}", customer_nameLast="x" * 100) for i in range(500)]
    created = wal_bytes(conn, held, *rows)
    write(conn, held, *rows)  # what reads a new row first marks it as committed

    again = wal_bytes(conn, held, *rows)

    # A page or two, should the server have made a checkpoint just now.
    assert created > 100_000
    assert again < created / 10


def wal_bytes(conn: Connection, held: Claim, *rows: Row) -> int:
    """How much the server's log grows by the statement that writes these rows."""
    found = explain(conn, *rows, held=held, options="ANALYZE, WAL, ")
    return int(found["Plan"]["WAL Bytes"])


@pytest.mark.parametrize(
    ("row", "uploaded_at"),
    [
        pytest.param(user("A"), EVENING, id="unchanged-in-a-newer-upload"),
        pytest.param(user("A", Email="a@b.c"), MORNING, id="stale"),
    ],
)
def test_a_user_that_does_not_change_is_not_rewritten(
    conn: Connection, held: Claim, row: Row, uploaded_at: datetime
) -> None:
    """Upload times are kept beside the table, so that users need no new version."""
    write(conn, held, user("A"), uploaded_at=NOON)
    before = stored(conn, USERS_TABLE), rewritten(conn)

    write(conn, held, row, uploaded_at=uploaded_at)

    assert (stored(conn, USERS_TABLE), rewritten(conn)) == before


def rewritten(conn: Connection) -> dict[object, tuple[str, str]]:
    """Where each user is; ON CONFLICT locks one that it leaves alone."""
    found = row_versions(conn, USERS_TABLE)
    return {key: (xmin, ctid) for key, (xmin, _, ctid) in found.items()}


def test_a_late_users_file_does_not_undo_what_a_newer_one_confirmed(
    conn: Connection, held: Claim
) -> None:
    """A(t1), A(t3), B(t2): the row was last written at t1, and yet t2 is too old."""
    write(conn, held, user("U", Email="a@b.c"), uploaded_at=MORNING)
    confirmed = write(conn, held, user("U", Email="a@b.c"), uploaded_at=EVENING)

    late = write(conn, held, user("U", Email="late@b.c"), uploaded_at=NOON)

    assert (confirmed, late) == (Counts(unchanged=1), Counts(stale=1))
    assert stored(conn, USERS_TABLE)["U"]["email"] == "a@b.c"
    assert stored(conn, SEEN_TABLE) == {
        "U": {"user_object_id": "U", "uploaded_at": EVENING}
    }


def test_updated_at_of_a_user_moves_with_a_change_and_created_at_never(
    conn: Connection, held: Claim
) -> None:
    """The earlier system set both in the application; analysts filter by them."""
    write(conn, held, user("U"), uploaded_at=MORNING)
    first = stored(conn, USERS_TABLE)["U"]
    write(conn, held, user("U"), uploaded_at=NOON)
    same = stored(conn, USERS_TABLE)["U"]
    write(conn, held, user("U", Email="a@b.c"), uploaded_at=EVENING)
    changed = stored(conn, USERS_TABLE)["U"]

    assert same == first
    assert first["updated_at"] == first["created_at"]
    assert changed["created_at"] == first["created_at"]
    assert as_time(changed["updated_at"]) > as_time(first["updated_at"])


def test_imported_at_of_an_appointment_never_moves(
    conn: Connection, held: Claim
) -> None:
    """It says when the row was first imported."""
    write(conn, held, appointment("A"))
    first = stored(conn, APPOINTMENT_TABLE)["A"]["imported_at"]

    written = write(conn, held, appointment("A", saleAmount="1"))

    assert written == Counts(updated=1)
    assert stored(conn, APPOINTMENT_TABLE)["A"]["imported_at"] == first


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


# --- files that lack columns ----------------------------------------------------------


def test_a_column_that_the_file_lacks_is_left_alone(
    conn: Connection, held: Claim
) -> None:
    """A file without amounts says nothing about amounts; it must not blank them."""
    write(conn, held, appointment("A"))
    row = appointment("A", customer_nameLast="Silva")
    before = stored(conn, APPOINTMENT_TABLE)["A"]

    written = write(conn, held, without(row, "saleAmount", "isSale", "salesrep.email"))

    assert written == Counts(updated=1)
    assert stored(conn, APPOINTMENT_TABLE)["A"] == before | {
        "customer_last_name": "Silva"
    }


def test_a_new_row_of_a_file_that_lacks_columns_gets_their_defaults(
    conn: Connection, held: Claim
) -> None:
    """is_sale may not be null, and a file need not have it."""
    write(conn, held, only(appointment("A"), "_id"))
    write(conn, held, only(user("U"), USER_KEY))

    (row,) = stored(conn, APPOINTMENT_TABLE).values()
    assert without_times(row) == dict.fromkeys(without_times(row)) | {
        "id": "A",
        "is_sale": False,
    }
    (row,) = stored(conn, USERS_TABLE).values()
    assert without_times(row) == dict.fromkeys(without_times(row)) | {
        "user_object_id": "U",
        "is_active": False,
        "send_credit_apps": False,
        "search_other_users_estimates": False,
        "additional_amount": Decimal(0),
    }


def without_times(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in row.items()
        if name not in ("imported_at", "created_at", "updated_at")
    }


@pytest.mark.parametrize(
    ("stored_row", "incoming", "written"),
    [
        pytest.param(
            appointment("A", _updated_at=""),
            only(appointment("A"), "_id"),
            Counts(unchanged=1),
            id="appointment",
        ),
        pytest.param(
            appointment("A"),
            only(appointment("A"), "_id"),
            Counts(stale=1),
            id="appointment-with-a-date",
        ),
        pytest.param(
            user("A"),
            only(user("A"), USER_KEY),
            Counts(unchanged=1),
            id="user",
        ),
    ],
)
def test_a_file_with_only_the_key_changes_nothing_that_is_stored(
    conn: Connection, held: Claim, stored_row: Row, incoming: Row, written: Counts
) -> None:
    """There is nothing to update, which `SET ()` could not even say."""
    write(conn, held, stored_row)
    before = stored(conn, APPOINTMENT_TABLE), stored(conn, USERS_TABLE)

    assert write(conn, held, incoming) == written
    assert (stored(conn, APPOINTMENT_TABLE), stored(conn, USERS_TABLE)) == before


def test_a_value_that_a_batch_omits_is_left_alone(
    conn: Connection, held: Claim
) -> None:
    """Lenient mode: a cell that could not be read must not overwrite a good value."""
    write(conn, held, appointment("A"))
    layout, sent = batch(appointment("A", saleAmount="99", salesrep_nameLast="Silva"))
    place = [column.name for column in layout.columns].index("sale_amount")

    written = send_batch(
        conn,
        layout,
        replace(sent, omitted=(place,)),
        claim=held,
        checkpoint=checkpoint(conn, held),
        uploaded_at=MORNING,
    ).counts()

    row = stored(conn, APPOINTMENT_TABLE)["A"]
    assert written == Counts(updated=1)
    assert (row["sale_amount"], row["salesrep_last_name"]) == (
        Decimal("12.50"),
        "Silva",
    )


# --- values arrive as they are --------------------------------------------------------


@pytest.fixture(scope="module")
def shared_url(server: str, template: str) -> Iterator[str]:
    """A database for all the values: making one takes longer than a test of a value."""
    with new_database(server, template) as name:
        yield make_conninfo(server, dbname=name)


@pytest.fixture
def empty(shared_url: str) -> Iterator[Connection]:
    """A connection to it, when there is nothing in its tables."""
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
def test_text_arrives_exactly(empty: Connection, text: str) -> None:
    """Arrays are built by hand, for speed; nothing in a cell may get out of its quotes."""
    held = claim(empty, upload())

    write(empty, held, appointment("A", resultFullString=text), appointment("B"))

    rows = stored(empty, APPOINTMENT_TABLE)
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
def test_a_cell_of_an_appointment_arrives_as_its_value(
    empty: Connection, label: str, cell: str, column: str, value: object
) -> None:
    """The parsers return text; this is what Postgres makes of it."""
    held = claim(empty, upload())
    empty.execute("SET DateStyle = 'German'")

    write(empty, held, appointment() | {label: cell})
    empty.execute("SET DateStyle = 'ISO'")

    (row,) = stored(empty, APPOINTMENT_TABLE).values()
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
def test_a_cell_of_a_user_arrives_as_its_value(
    empty: Connection, label: str, cell: str, column: str, value: object
) -> None:
    """The parsers return text; this is what Postgres makes of it."""
    held = claim(empty, upload())
    empty.execute("SET DateStyle = 'SQL, DMY'")

    write(empty, held, user() | {label: cell})
    empty.execute("SET DateStyle = 'ISO'")

    (row,) = stored(empty, USERS_TABLE).values()
    assert row[column] == value


@pytest.fixture(scope="module")
def shared_session(shared_url: str) -> Iterator[Connection]:
    """One session for all the examples."""
    with connection.connect(shared_url) as conn:
        yield conn


CELLS = st.text(
    st.one_of(
        st.sampled_from("\\\"{},'\n\r\t %$"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)


@given(st.lists(st.one_of(st.none(), CELLS, st.sampled_from(["NULL", "null", ""]))))
def test_arrays_hold_what_psycopg_would_send(
    shared_session: Connection, values: list[str | None]
) -> None:
    """The reason to build them by hand is speed, so they must differ in nothing else."""
    row = shared_session.execute(
        "SELECT %s::varchar[], %s::varchar[] = %s::varchar[]",
        [
            array_literal(values, is_text=True),
            array_literal(values, is_text=True),
            values,
        ],
    ).fetchone()

    assert row == (values, True)


# --- fencing --------------------------------------------------------------------------


def taken_over(conn: Connection, held: Claim) -> None:
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = NULL")
    assert claim(conn, upload()).attempt == held.attempt + 1


def completed(conn: Connection, held: Claim) -> None:
    completion.complete(conn, claims.checkpoint(conn, held), report=None)


def failed(conn: Connection, held: Claim) -> None:
    completion.fail(conn, held, "out of luck")


def deleted(conn: Connection, _held: Claim) -> None:
    conn.execute("DELETE FROM salespro_sync_history")


@pytest.mark.parametrize("end", [taken_over, completed, failed, deleted])
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            [appointment("A", saleAmount="1"), appointment("B")], id="appointments"
        ),
        pytest.param([user("A", Email="a@b.c"), user("B")], id="users"),
    ],
)
def test_an_attempt_that_lost_its_claim_writes_nothing(
    conn: Connection,
    held: Claim,
    end: Callable[[Connection, Claim], None],
    rows: list[Row],
) -> None:
    """A function that was thought dead wakes up while its successor is at work."""
    write(conn, held, appointment("A"))
    write(conn, held, user("A"))
    end(conn, held)
    before = contents_and_versions(conn)

    with pytest.raises(ClaimLost, match="writes nothing more"):
        write(conn, held, *rows, uploaded_at=EVENING, rejected=1)

    assert contents_and_versions(conn) == before


def test_a_takeover_that_commits_while_a_batch_waits_for_it_wins(
    database_url: str, conn: Connection, held: Claim
) -> None:
    """The token is checked under the row's lock, not in the statement's snapshot."""
    conn.execute("UPDATE salespro_sync_history SET lease_expires_at = NULL")
    with connection.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            claim(other, upload())
            waiting = pool.submit(write, conn, held, appointment("A"))
            wait_until_blocked(other, conn.info.backend_pid)

        with pytest.raises(ClaimLost):
            waiting.result()

    assert stored(conn, APPOINTMENT_TABLE) == {}
    assert read_counts(history_of(conn, held)) == Counts()


def test_a_batch_that_waits_for_its_history_row_counts_once(
    database_url: str, conn: Connection, held: Claim
) -> None:
    """Somebody edits the row by hand: the statement goes on from its latest version."""
    edit = "UPDATE salespro_sync_history SET error_message = 'by hand'"
    with connection.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute(edit.encode())
            waiting = pool.submit(write, conn, held, appointment("A"))
            wait_until_blocked(other, conn.info.backend_pid)

        written = waiting.result()

    assert written == Counts(created=1)
    assert read_counts(history_of(conn, held)) == Counts(created=1)
    assert history_of(conn, held)["error_message"] == "by hand"


def test_a_newer_row_that_is_deleted_meanwhile_is_counted_once(
    database_url: str, conn: Connection, held: Claim
) -> None:
    """By hand: the snapshot has it as newer, and then it is not there any more."""
    unchanged = appointment("C")
    write(conn, held, appointment("A", _updated_at=NEW), unchanged)
    batch = [appointment(key, _updated_at=OLD) for key in "AB"]
    with connection.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("DELETE FROM salespro_appointment WHERE id = 'A'")
            waiting = pool.submit(write, conn, held, *batch, unchanged)
            # Where rows are compared first, nothing waits: it is stale, and stays away.
            if not Way.compare_before_insert:
                wait_until_blocked(other, conn.info.backend_pid)
            else:
                waiting.result()

        written = waiting.result()

    if Way.compare_before_insert:
        assert written == Counts(created=1, stale=1, unchanged=1)
    else:
        assert written == Counts(created=2, unchanged=1)
    assert len(stored(conn, APPOINTMENT_TABLE)) == written.created + 1


def test_a_batch_that_is_sent_twice_at_once_is_written_once(
    database_url: str, conn: Connection, held: Claim
) -> None:
    """The connection was given up for dead, and the server had not noticed."""
    rows = [appointment("A"), appointment("B")]
    with connection.connect(database_url) as given_up, ThreadPoolExecutor(1) as pool:
        with given_up.transaction():
            write(given_up, held, *rows)
            waiting = pool.submit(write, conn, held, *rows)
            wait_until_blocked(given_up, conn.info.backend_pid)

        with pytest.raises(ClaimLost):
            waiting.result()

    assert read_counts(history_of(conn, held)) == Counts(created=2)
    assert list(stored(conn, APPOINTMENT_TABLE)) == ["A", "B"]


@pytest.mark.parametrize(
    "column",
    [
        "records_processed",
        "records_created",
        "records_updated",
        "records_unchanged",
        "records_stale",
        "records_duplicate",
        "records_rejected",
    ],
)
def test_the_server_refuses_counts_that_do_not_add_up(
    conn: Connection, held: Claim, column: str
) -> None:
    """Promise 1 is a CHECK: no code of ours, and nobody by hand, gets around it."""
    write(conn, held, appointment("A"))
    add = sql.SQL("UPDATE salespro_sync_history SET {0} = {0} + 1")

    with pytest.raises(psycopg.errors.CheckViolation, match="adds_up"):
        conn.execute(add.format(sql.Identifier(column)))


# --- a key twice in one batch ---------------------------------------------------------


@pytest.mark.parametrize("make", [appointment, user])
def test_a_row_twice_in_one_batch_is_refused(
    conn: Connection, held: Claim, make: Callable[..., Row]
) -> None:
    """The caller dedupes; if it did not, Postgres says so and nothing is written."""
    before = contents(conn)

    with pytest.raises(StoreRefused) as refused, store_errors("writing"):
        write(conn, held, make("A"), make("A"), make("B"))

    assert refused.value.sqlstate == "21000"
    assert contents(conn) == before


# --- spans ----------------------------------------------------------------------------


def cut(*rows: Row, size: int) -> tuple[Layout, Chunk]:
    """These rows as one span with batches of at most `size` records."""
    with Rejects() as rejects:
        stream = io.BytesIO(csv_bytes(*rows))
        reader = ExportReader(stream, (APPOINTMENTS, USERS), rejects, is_lenient=False)
        (chunk,) = reader.chunks(checkpoint_rows=len(rows), batch_size=size)
    return reader.layout, chunk


def test_a_span_is_written_batch_by_batch_and_counted_once(
    conn: Connection, held: Claim
) -> None:
    """Duplicates and rejects belong to the span; each batch adds its own records."""
    write(conn, held, appointment("B"), appointment("C"))
    rows = [*(appointment(key) for key in "ABCDE"), appointment("C", saleAmount="1")]
    layout, chunk = cut(*rows, size=2)
    assert [len(part) for part in chunk.batches] == [2, 2, 1]

    so_far = replace(held, counts=Counts(created=2))
    counts = write_chunk(conn, layout, chunk, claim=so_far, uploaded_at=MORNING).counts

    assert counts == Counts(created=3, updated=1, unchanged=1, duplicate=1)
    assert read_counts(history_of(conn, held)) == counts + Counts(created=2)


def test_a_span_of_nothing_but_rejects_moves_the_checkpoint(
    conn: Connection, held: Claim
) -> None:
    """Otherwise the attempt after a crash would count them again."""
    layout, _ = batch(appointment())
    chunk = Chunk(rows=3, batches=(Batch(rejected=3),))

    counts = write_chunk(conn, layout, chunk, claim=held, uploaded_at=MORNING).counts

    assert counts == Counts(rejected=3)
    assert read_counts(history_of(conn, held)) == counts


def test_a_span_is_written_as_a_whole_or_not_at_all(
    conn: Connection, held: Claim
) -> None:
    """The checkpoint covers the span: half of it would be sent again, or never."""
    layout, good = batch(appointment("A"))
    _, bad = batch(appointment("B"), appointment("B"))
    chunk = Chunk(rows=3, batches=(good, bad))
    before = contents(conn)

    with pytest.raises(StoreRefused), store_errors("writing"):
        write_chunk(conn, layout, chunk, claim=held, uploaded_at=MORNING)

    assert contents(conn) == before


def test_a_span_whose_claim_is_lost_writes_nothing(
    conn: Connection, held: Claim
) -> None:
    """Whatever the number of its batches."""
    taken_over(conn, held)
    layout, chunk = cut(*(appointment(key) for key in "ABC"), size=1)
    before = contents_and_versions(conn)

    with pytest.raises(ClaimLost):
        write_chunk(conn, layout, chunk, claim=held, uploaded_at=MORNING)

    assert contents_and_versions(conn) == before


# --- two imports at once --------------------------------------------------------------


@pytest.mark.parametrize("is_new", [True, False], ids=["new-row", "stored-row"])
@pytest.mark.parametrize(
    ("first", "second", "in_the_end"),
    [
        pytest.param("newer", "older", "newer", id="the-older-one-waits"),
        pytest.param("older", "newer", "newer", id="the-newer-one-waits"),
    ],
)
@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
def test_of_two_imports_at_once_the_newer_row_stays(
    database_url: str,
    conn: Connection,
    export: Export,
    first: str,
    second: str,
    in_the_end: str,
    *,
    is_new: bool,
) -> None:
    """One has the row in an open transaction; the other compared with what was before."""
    at = {"older": NOON, "newer": EVENING}
    mine, theirs = claim(conn, upload(version="1")), claim(conn, upload(version="2"))
    if not is_new:
        write(conn, mine, version(export, "oldest", MORNING), uploaded_at=MORNING)

    with connection.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            write(
                other, theirs, version(export, first, at[first]), uploaded_at=at[first]
            )
            row = version(export, second, at[second])
            waiting = pool.submit(write, conn, mine, row, uploaded_at=at[second])
            wait_until_blocked(other, conn.info.backend_pid)
        written = waiting.result()

    assert names(conn, export) == [in_the_end]
    if second == "newer":
        assert written == Counts(updated=1)
    elif export is USERS:
        assert written == Counts(stale=1)
    else:
        # Looked at before the other one's commit, it was not stale yet.
        assert written == Counts(unchanged=1)


def version(export: Export, name: str, at: datetime) -> Row:
    if export is APPOINTMENTS:
        return appointment("K", customer_nameLast=name, _updated_at=at.isoformat())
    return user("K", Last_Name=name)


def names(conn: Connection, export: Export) -> list[object]:
    column = "customer_last_name" if export is APPOINTMENTS else "last_name"
    return [row[column] for row in stored(conn, export.table).values()]


# --- plans ----------------------------------------------------------------------------

FILL = {
    APPOINTMENTS: """
        INSERT INTO salespro_appointment (id, updated_at, salesrep_email)
        SELECT i, now(), i || '@example.com' FROM generate_series(1, %s) AS i""",
    USERS: """
        WITH seen AS (INSERT INTO salespro_users_seen
                      SELECT i, now() FROM generate_series(1, %s) AS i RETURNING *)
        INSERT INTO salespro_users (user_object_id) SELECT user_object_id FROM seen""",
}  # fmt: skip


def analysed(conn: Connection, export: Export, size: int) -> None:
    conn.execute(FILL[export], [size])
    conn.execute("ANALYZE")


def outdated(conn: Connection, export: Export, size: int) -> None:
    """Grown since the last ANALYZE, which found a single row."""
    leave_statistics_alone(conn)
    analysed(conn, export, 1)
    for table in TABLES:
        conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    conn.execute(FILL[export], [size])


def analysed_when_empty(conn: Connection, export: Export, size: int) -> None:
    """Grown since the last ANALYZE, which found nothing: the first large import."""
    leave_statistics_alone(conn)
    analysed(conn, export, 0)
    conn.execute(FILL[export], [size])


def leave_statistics_alone(conn: Connection) -> None:
    keep = sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)")
    for table in TABLES:
        conn.execute(keep.format(sql.Identifier(table)))


@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
@pytest.mark.parametrize(
    ("fill", "size"),
    [
        pytest.param(analysed, 0, id="empty"),
        pytest.param(analysed, 10, id="10-rows"),
        pytest.param(analysed, 1_000, id="1000-rows"),
        pytest.param(analysed, 200_000, id="200000-rows"),
        pytest.param(outdated, 20_000, id="outdated-statistics"),
        pytest.param(analysed_when_empty, 200_000, id="statistics-of-nothing"),
    ],
)
def test_no_plan_scans_a_table(
    conn: Connection,
    export: Export,
    fill: Callable[[Connection, Export, int], None],
    size: int,
) -> None:
    """The cost of a batch must not grow with the table beyond the index's depth.

    Neither that of a plan for the values at hand, nor that of the generic plan that a
    prepared statement keeps while the table grows.
    """
    make, key = (appointment, "_id") if export is APPOINTMENTS else (user, USER_KEY)
    rows = [make(str(i)) for i in range(500)]
    fill(conn, export, size)

    assert scanned(explain(conn, *rows)) == []
    assert scanned(explain(conn, *(only(row, key) for row in rows))) == []
    assert scanned(generic_plan(conn, export)) == []


def test_a_plan_that_scans_a_table_would_be_seen(conn: Connection) -> None:
    """What the test before relies on."""
    analysed(conn, APPOINTMENTS, 10)
    conn.execute("SET enable_seqscan = on")

    found = conn.execute("EXPLAIN (FORMAT JSON) SELECT FROM salespro_appointment")

    assert scanned(first(found)) == [APPOINTMENT_TABLE]


# What a scan looks rows up by; a bitmap heap scan has the bitmap's as its recheck.
BY_KEY = {"Index Cond", "Recheck Cond"}


def explain(
    conn: Connection, *rows: Row, held: Claim | None = None, options: str = ""
) -> dict[str, Any]:
    """The plan of the very statement, with these rows as psycopg sends them."""
    layout, sent = batch(*rows)
    parameters: dict[str, object] = {
        column.name: array_literal(cells, is_text=column.column_type.is_text)
        for column, cells in zip(layout.columns, sent.columns, strict=True)
    }
    parameters |= {
        "import_id": held.import_id if held else 1,
        "attempt": held.attempt if held else 1,
        "checkpoint": checkpoint(conn, held) if held else 0,
        "lease": claims.LEASE,
        "uploaded_at": MORNING,
        "sent": len(rows),
        "duplicate": 0,
        "rejected": 0,
    }
    statement = upsert_statement(
        layout.export, layout.columns, compare_before_insert=Way.compare_before_insert
    ).as_string()
    return first(
        conn.execute(f"EXPLAIN ({options}FORMAT JSON) {statement}".encode(), parameters)
    )


def generic_plan(conn: Connection, export: Export) -> dict[str, Any]:
    """The plan that does not depend on the values."""
    statement = upsert_statement(
        export, export.columns, compare_before_insert=Way.compare_before_insert
    ).as_string()
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    for number_, name in enumerate(names, 1):
        statement = statement.replace(f"%({name})s", f"${number_}")
    conn.execute("SET plan_cache_mode = force_generic_plan")
    conn.execute(f"PREPARE upsert AS {statement}".encode())
    nulls = ", ".join(["NULL"] * len(names))
    return first(
        conn.execute(f"EXPLAIN (FORMAT JSON) EXECUTE upsert({nulls})".encode())
    )


def first(found: psycopg.Cursor) -> dict[str, Any]:
    row = found.fetchone()
    assert row is not None
    return dict(row[0][0])


def scanned(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads from end to end, be it by an index."""
    nodes = [plan["Plan"]]
    found = []
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        is_whole = "Scan" in node["Node Type"] and not BY_KEY & node.keys()
        if "Relation Name" in node and is_whole:
            found.append(node["Relation Name"])
    return found
