"""Unchanged rows are not written, and columns without a value keep theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from psycopg import Connection

from salespro_core.model.counts import Counts
from salespro_core.postgres.session import BOOKKEEPING
from salespro_core.sync_history.claims import Claim
from tests.core.upsert.writers import (
    EVENING,
    NOON,
    USER_KEY,
    BatchWriter,
    only_columns,
    without_columns,
    write_chunk_of,
)
from tests.support.builders import MORNING, CsvRow, appointment, batch, user
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    SEEN_TABLE,
    USERS_TABLE,
    row_versions,
    stored,
)

OLD, NEW = "2025-06-07T10:00:00.000Z", "2025-06-07T10:00:00.001Z"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(appointment("A"), id="unchanged"),
        pytest.param(appointment("A", _updated_at=OLD, isSale="no"), id="stale"),
    ],
)
@pytest.mark.parametrize("compare_before_insert", [True], indirect=True)
def test_unchanged_or_stale_appointment_is_neither_written_nor_locked(
    conn: Connection, write: BatchWriter, claim: Claim, row: CsvRow
) -> None:
    """Most rows of a file are stored already; a lock alone would rewrite their pages."""
    write(conn, claim, appointment("A", _updated_at=NEW))
    before = row_versions(conn, APPOINTMENT_TABLE)
    row = row if row["_updated_at"] == OLD else row | {"_updated_at": NEW}

    write(conn, claim, row)

    assert row_versions(conn, APPOINTMENT_TABLE) == before
    assert before["A"][1] == "0"


@pytest.mark.parametrize(
    ("row", "uploaded_at"),
    [
        pytest.param(user("A"), EVENING, id="unchanged-in-a-newer-upload"),
        pytest.param(user("A", Email="a@b.c"), MORNING, id="stale"),
    ],
)
def test_unchanged_or_stale_user_is_not_rewritten(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    row: CsvRow,
    uploaded_at: datetime,
) -> None:
    """Upload times are in a separate table, so users need no new version."""
    write(conn, claim, user("A"), uploaded_at=NOON)
    before = stored(conn, USERS_TABLE), versions_without_locks(conn)

    write(conn, claim, row, uploaded_at=uploaded_at)

    assert (stored(conn, USERS_TABLE), versions_without_locks(conn)) == before


def versions_without_locks(conn: Connection) -> dict[object, tuple[str, str]]:
    """Return xmin and ctid of each user; ON CONFLICT locks rows that it does not change."""
    versions = row_versions(conn, USERS_TABLE)
    return {key: (xmin, ctid) for key, (xmin, _, ctid) in versions.items()}


def test_late_users_file_does_not_undo_a_row_that_a_newer_file_confirmed(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """Written in the morning, confirmed in the evening: a file of noon is older."""
    write(conn, claim, user("U", Email="a@b.c"), uploaded_at=MORNING)
    # By another import than the one in the evening.
    conn.execute("UPDATE salespro_users_seen SET import_id = import_id + 100")
    confirmed = write(conn, claim, user("U", Email="a@b.c"), uploaded_at=EVENING)

    late = write(conn, claim, user("U", Email="late@b.c"), uploaded_at=NOON)

    assert (confirmed, late) == (Counts(unchanged=1), Counts(stale=1))
    assert stored(conn, USERS_TABLE)["U"]["email"] == "a@b.c"
    assert stored(conn, SEEN_TABLE) == {
        "U": {
            "user_object_id": "U",
            "uploaded_at": EVENING,
            "import_id": claim.import_id if write.records_changes else None,
            "earlier_uploads": [MORNING] if write.records_changes else None,
            "earlier_imports": [claim.import_id + 100]
            if write.records_changes
            else None,
        }
    }


def test_change_of_a_user_sets_updated_at_and_keeps_created_at(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """Analysts filter by both; the earlier system set them in the application."""
    write(conn, claim, user("U"), uploaded_at=MORNING)
    first = stored(conn, USERS_TABLE)["U"]
    write(conn, claim, user("U"), uploaded_at=NOON)
    same = stored(conn, USERS_TABLE)["U"]
    write(conn, claim, user("U", Email="a@b.c"), uploaded_at=EVENING)
    changed = stored(conn, USERS_TABLE)["U"]

    assert same == first
    assert first["updated_at"] == first["created_at"]
    assert changed["created_at"] == first["created_at"]
    assert as_time(changed["updated_at"]) > as_time(first["updated_at"])


def test_update_of_an_appointment_keeps_imported_at(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """It is the time of the first import."""
    write(conn, claim, appointment("A"))
    first = stored(conn, APPOINTMENT_TABLE)["A"]["imported_at"]

    written = write(conn, claim, appointment("A", saleAmount="1"))

    assert written == Counts(updated=1)
    assert stored(conn, APPOINTMENT_TABLE)["A"]["imported_at"] == first


def as_time(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def test_columns_missing_in_the_file_keep_their_values(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    write(conn, claim, appointment("A"))
    row = appointment("A", customer_nameLast="Silva")
    before = stored(conn, APPOINTMENT_TABLE)["A"]

    written = write(
        conn, claim, without_columns(row, "saleAmount", "isSale", "salesrep.email")
    )

    assert written == Counts(updated=1)
    assert stored(conn, APPOINTMENT_TABLE)["A"] == before | {
        "customer_last_name": "Silva"
    }


def test_new_row_of_a_file_with_missing_columns_gets_their_defaults(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """is_sale is NOT NULL, but a file may lack it."""
    write(conn, claim, only_columns(appointment("A"), "_id"))
    write(conn, claim, only_columns(user("U"), USER_KEY))

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
        if name not in ("imported_at", "created_at", "updated_at", *BOOKKEEPING)
    }


@pytest.mark.parametrize(
    ("stored_row", "incoming", "written"),
    [
        pytest.param(
            appointment("A", _updated_at=""),
            only_columns(appointment("A"), "_id"),
            Counts(unchanged=1),
            id="appointment",
        ),
        pytest.param(
            appointment("A"),
            only_columns(appointment("A"), "_id"),
            Counts(stale=1),
            id="appointment-with-a-date",
        ),
        pytest.param(
            user("A"),
            only_columns(user("A"), USER_KEY),
            Counts(unchanged=1),
            id="user",
        ),
    ],
)
def test_file_with_only_the_key_changes_no_stored_row(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    stored_row: CsvRow,
    incoming: CsvRow,
    written: Counts,
) -> None:
    """`SET ()` would be a syntax error."""
    write(conn, claim, stored_row)
    before = stored(conn, APPOINTMENT_TABLE), stored(conn, USERS_TABLE)

    assert write(conn, claim, incoming) == written
    assert (stored(conn, APPOINTMENT_TABLE), stored(conn, USERS_TABLE)) == before


def test_omitted_column_of_a_batch_keeps_its_value(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """Lenient mode: an invalid cell must not overwrite a valid value."""
    write(conn, claim, appointment("A"))
    layout, sent = batch(appointment("A", saleAmount="99", salesrep_nameLast="Silva"))
    column_index = [column.name for column in layout.columns].index("sale_amount")

    written = write_chunk_of(
        conn, layout, replace(sent, omitted=(column_index,)), claim=claim
    )

    row = stored(conn, APPOINTMENT_TABLE)["A"]
    assert written == Counts(updated=1)
    assert (row["sale_amount"], row["salesrep_last_name"]) == (
        Decimal("12.50"),
        "Silva",
    )
