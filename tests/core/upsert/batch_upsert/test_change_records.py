"""An updated row has a record, and a created row names the import that created it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from salespro_core.model.counts import Counts
from salespro_core.sync_history import claims
from salespro_core.sync_history.claims import Claim
from salespro_core.upsert.change_records import MOST_EARLIER_UPLOADS
from tests.core.upsert.batch_upsert.changes import Change, recorded
from tests.core.upsert.triggers import add_trigger, both_exports, name_column
from tests.core.upsert.writers import (
    EVENING,
    NOON,
    USER_KEY,
    BatchWriter,
    only_columns,
    without_columns,
    write_chunk_of,
)
from tests.support.builders import (
    MORNING,
    CsvRow,
    appointment,
    batch,
    csv_bytes,
    upload,
    user,
)
from tests.support.import_runs import run_counts
from tests.support.table_contents import SEEN_TABLE, row_versions, stored

OLD, NEW = "2025-06-01T00:00:00Z", "2025-06-30T00:00:00Z"


@pytest.fixture(params=[True], ids=["records-changes"])
def records_changes(request: pytest.FixtureRequest) -> bool:
    """Always, in this module."""
    return bool(request.param)


def other_claim(conn: Connection, version: str = "2") -> Claim:
    """The claim of another import, of another file."""
    return claims.claim(conn, upload(version=version), keeps_changes=True)


def row(export: Export, key: str, name: str = "Lee", time: str = "") -> CsvRow:
    if export is APPOINTMENTS:
        return appointment(key, customer_nameLast=name, _updated_at=time)
    return user(key, Last_Name=name)


def creators(conn: Connection, export: Export) -> dict[object, object]:
    """Key -> the import that created its row."""
    rows = stored(conn, export.table)
    return {key: row["created_by_import"] for key, row in rows.items()}


def hashes(conn: Connection, export: Export) -> dict[object, object]:
    """Key -> the hash of the values with which its row was created."""
    rows = stored(conn, export.table)
    return {key: row["created_hash"] for key, row in rows.items()}


@both_exports
def test_exactly_the_updated_rows_of_a_batch_have_a_record(
    conn: Connection, write: BatchWriter, claim: Claim, export: Export
) -> None:
    write(conn, claim, *(row(export, key, time=OLD) for key in ("changed", "same")))
    write(conn, claim, row(export, "newer", time=NEW), uploaded_at=EVENING)
    assert recorded(conn) == []
    second = other_claim(conn)

    written = write(
        conn,
        second,
        row(export, "changed", "Silva", time=OLD),
        row(export, "new", time=OLD),
        row(export, "newer", "Silva", time=OLD),
        row(export, "same", time=OLD),
        uploaded_at=NOON,
    )

    assert written == Counts(created=1, updated=1, unchanged=1, stale=1)
    [change] = recorded(conn)
    change.fields.pop("updated_at", None)  # of users
    fields: dict[str, list[str | None]] = {name_column(export): ["Lee", "Silva"]}
    assert change == Change(second.import_id, export.table, "changed", fields)


@both_exports
def test_created_row_names_its_import_and_an_update_does_not_change_that(
    conn: Connection, write: BatchWriter, claim: Claim, export: Export
) -> None:
    write(conn, claim, row(export, "A"), row(export, "B"))
    before = hashes(conn, export)
    second = other_claim(conn)

    write(conn, second, row(export, "B", "Silva"), row(export, "C"))

    first_id = claim.import_id
    assert creators(conn, export) == dict.fromkeys("AB", first_id) | {
        "C": second.import_id
    }
    assert hashes(conn, export) == before | {"C": before["A"]}


@both_exports
def test_rows_have_equal_hashes_exactly_if_their_values_are_equal(
    conn: Connection, write: BatchWriter, claim: Claim, export: Export
) -> None:
    """Whatever the forms of numbers and dates in the file, and beside the key."""
    if export is APPOINTMENTS:
        equal = [
            appointment("A", saleAmount="50", _created_at="2025-06-06T00:16:45Z"),
            appointment(
                "B", saleAmount="$50.00", _created_at="2025-06-06T02:16:45+02:00"
            ),
        ]
        others = [
            appointment("C", saleAmount="50.01"),
            appointment("D", saleAmount=""),
            appointment("E", isSale="FALSE"),
            appointment("F", customer_nameLast="garcia"),
            appointment("G", customer_nameLast="", customer_nameFirst="Garcia"),
            appointment("H", customer_nameLast="Garcia", customer_nameFirst=""),
        ]
    else:
        equal = [
            user("A", Additional_Amount="50", Last_Login="06/18/2025"),
            user("B", Additional_Amount="50.00", Last_Login="2025-06-18"),
        ]
        others = [
            user("C", Additional_Amount="50.01"),
            user("D", Last_Login=""),
            user("E", Send_Credit_Apps="TRUE"),
            user("F", Email="Ann.Lee@example.com"),
        ]

    write(conn, claim, *equal, *others)

    found = hashes(conn, export)
    assert found["A"] == found["B"] is not None
    assert len(set(found.values())) == 1 + len(others)


@pytest.mark.parametrize(
    ("make_row", "key", "default"),
    [
        (appointment, "_id", {"isSale": ""}),
        (user, USER_KEY, {"Active/Inactive": "", "Additional Amount": ""}),
    ],
)
def test_missing_column_has_the_hash_of_its_default(
    conn: Connection,
    write: BatchWriter,
    claim: Claim,
    make_row: Callable[..., CsvRow],
    key: str,
    default: CsvRow,
) -> None:
    export = APPOINTMENTS if make_row is appointment else USERS
    write(conn, claim, make_row("A") | default)
    write(conn, claim, without_columns(make_row("B"), *default))
    write(conn, claim, dict.fromkeys(make_row("C"), "") | {key: "C"})
    write(conn, claim, only_columns(make_row("D"), key))

    found = hashes(conn, export)
    assert found["A"] == found["B"] != found["C"] == found["D"]


def test_hash_is_the_same_in_all_versions_of_postgres(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """An undo may run after an upgrade of the server."""
    write(conn, claim, appointment("A"))
    write(conn, claim, user("U"))

    assert (hashes(conn, APPOINTMENTS), hashes(conn, USERS)) == (
        {"A": -2713840820260341599},
        {"U": 3514247421746642667},
    )


def test_row_of_an_import_that_keeps_no_changes_has_neither_number_nor_hash(
    conn: Connection, claim: Claim, *, compare_before_insert: bool
) -> None:
    write = BatchWriter(compare_before_insert)

    write(conn, claim, appointment("A"))
    write(conn, claim, appointment("A", saleAmount="1"))

    assert (creators(conn, APPOINTMENTS), hashes(conn, APPOINTMENTS)) == (
        {"A": None},
        {"A": None},
    )
    assert recorded(conn) == []


@both_exports
def test_omitted_column_is_in_no_record(
    conn: Connection, claim: Claim, export: Export
) -> None:
    """Lenient mode: an invalid cell does not overwrite the stored value."""
    write = BatchWriter(compare_before_insert=True, records_changes=True)
    write(conn, claim, row(export, "A"))
    amount = "saleAmount" if export is APPOINTMENTS else "Additional Amount"
    layout, sent = batch(row(export, "A", "Silva") | {amount: "99"})
    omitted = next(
        i for i, column in enumerate(layout.columns) if column.name.endswith("_amount")
    )

    write_chunk_of(
        conn,
        layout,
        replace(sent, omitted=(omitted,)),
        claim=claim,
        records_changes=True,
    )

    [change] = recorded(conn)
    assert {*change.fields} - {"updated_at"} == {name_column(export)}


def test_uploads_of_a_user_are_remembered_up_to_a_limit(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    times = [MORNING.replace(minute=i) for i in range(MOST_EARLIER_UPLOADS + 3)]
    for number, time in enumerate(times):
        write(conn, claim, user("U"), uploaded_at=time)
        if time != times[-1]:
            conn.execute("UPDATE salespro_users_seen SET import_id = %s", [-number])
    write(conn, claim, user("U"), uploaded_at=times[-1])  # again

    seen = stored(conn, SEEN_TABLE)["U"]

    assert seen["uploaded_at"] == times[-1]
    assert seen["earlier_uploads"] == times[-1 - MOST_EARLIER_UPLOADS : -1]
    imports = range(2, MOST_EARLIER_UPLOADS + 2)
    assert seen["earlier_imports"] == [-number for number in imports]


@both_exports
def test_update_works_while_a_before_trigger_changes_rows(
    conn: Connection, write: BatchWriter, claim: Claim, export: Export
) -> None:
    """It also fires for a row that is then updated, which has no valid number of an import."""
    name = name_column(export)
    add_trigger(conn, export, f"NEW.{name} := upper(NEW.{name});")

    first = write(conn, claim, row(export, "A"), row(export, "B"))
    second = write(conn, claim, row(export, "A", "Silva"), row(export, "C"))

    assert (first, second) == (Counts(created=2), Counts(created=1, updated=1))
    names = {key: r[name] for key, r in stored(conn, export.table).items()}
    assert names == {"A": "SILVA", "B": "LEE", "C": "LEE"}
    assert [change.key for change in recorded(conn)] == ["A"]
    assert set(creators(conn, export).values()) == {claim.import_id}


def test_record_of_a_frozen_row_is_right(
    conn: Connection, write: BatchWriter, claim: Claim
) -> None:
    """VACUUM FREEZE keeps the xmin by which the statement knows the version."""
    write(conn, claim, appointment("A"))
    before = row_versions(conn, APPOINTMENTS.table)
    conn.execute("VACUUM (FREEZE) salespro_appointment")
    assert row_versions(conn, APPOINTMENTS.table) == before

    written = write(conn, claim, appointment("A", saleAmount="1"))

    assert written == Counts(updated=1)
    assert len(recorded(conn)) == 1


@both_exports
@pytest.mark.parametrize("trigger", ["before-the-first-file", "before-the-second"])
def test_changes_of_a_row_whose_key_a_trigger_changes_are_not_recorded(
    conn: Connection, export: Export, trigger: str
) -> None:
    """The row cannot be found before it is written; the import must not fail."""
    normalise = f"NEW.{export.key} := lower(NEW.{export.key});"
    if trigger == "before-the-first-file":
        add_trigger(conn, export, normalise)
    first = run_counts(conn, csv_bytes(row(export, "A"), row(export, "B")))
    if trigger == "before-the-second":
        add_trigger(conn, export, normalise)

    second = run_counts(conn, csv_bytes(row(export, "A", "Silva"), row(export, "B")))

    assert first == Counts(created=2)
    names = {
        key: r[name_column(export)] for key, r in stored(conn, export.table).items()
    }
    if trigger == "before-the-first-file":
        assert second == Counts(updated=1, unchanged=1)
        assert names == {"a": "Silva", "b": "Lee"}
    else:
        assert names["a"] == "Silva"
    assert recorded(conn) == []
