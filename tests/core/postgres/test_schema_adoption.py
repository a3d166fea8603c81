"""Migrations of the earlier system's tables: rows stay, imports work, both can write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.session import BOOKKEEPING
from salespro_core.sync_history.queries import Import, recent_imports
from tests.core.postgres.schema_snapshot import columns, file_number, schema_objects
from tests.support.builders import MORNING, appointment, csv_bytes, upload, user
from tests.support.earlier_system import LONG_AGO, Models, Variant, earlier_system
from tests.support.import_runs import dry_run, new_version, run
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    HISTORY_TABLE,
    USERS_TABLE,
    contents,
    number,
    stored,
)

VARIANTS = [
    pytest.param(Variant(), id="ints-and-nulls"),
    pytest.param(
        Variant(has_big_ids=True, has_required_texts=True), id="bigints-and-varchars"
    ),
]


@contextmanager
def adopted(conninfo: str, variant: Variant) -> Iterator[tuple[Connection, Models]]:
    """Yield a migrated database of the earlier system, and its models."""
    with (
        earlier_system(conninfo, variant) as models,
        connection.connect(conninfo) as conn,
    ):
        connection.migrate(conn)
        yield conn, models


@pytest.mark.parametrize("variant", VARIANTS)
def test_adopted_tables_keep_their_rows_and_are_not_rewritten(
    empty_database_url: str, variant: Variant
) -> None:
    with (
        earlier_system(empty_database_url, variant),
        connection.connect(empty_database_url) as conn,
    ):
        names = (APPOINTMENT_TABLE, USERS_TABLE, HISTORY_TABLE)
        rows = {name: stored(conn, name) for name in names}
        file_numbers = {name: file_number(conn, name) for name in names}

        connection.migrate(conn)

        assert {name: file_number(conn, name) for name in names} == file_numbers
        assert [len(rows[name]) for name in names] == [3, 1, 2]
        added: dict[str, object] = dict.fromkeys(BOOKKEEPING)
        for name in (APPOINTMENT_TABLE, USERS_TABLE):
            assert stored(conn, name) == {
                key: row | added for key, row in rows[name].items()
            }
        added = {
            "bucket": None,
            "object_key": None,
            "object_version": None,
            "uploaded_at": None,
            "size_bytes": None,
            "attempts": 0,
            "lease_expires_at": None,
            "records_unchanged": 0,
            "records_stale": 0,
            "records_duplicate": 0,
            "records_rejected": 0,
            "refused_rows": None,
            "report_location": None,
            "counting_version": None,
            "attempt_started_at": None,
            "error_type": None,
            "changes": None,
            "undoes": None,
            "undone_up_to": None,
            "records_deleted": 0,
            "records_left": 0,
        }
        assert stored(conn, HISTORY_TABLE) == {
            key: row | added for key, row in rows[HISTORY_TABLE].items()
        }


@pytest.mark.parametrize("variant", VARIANTS)
def test_adopted_tables_have_the_columns_of_new_tables(
    empty_database_url: str, conn: Connection, variant: Variant
) -> None:
    """With their types, defaults and NOT NULL; only the id keeps its type."""
    new = columns(conn)
    with adopted(empty_database_url, variant) as (old, _):
        found = columns(old)

    different = {name: found[name] for name in new if found.get(name) != new[name]}
    assert found.keys() == new.keys()
    assert different == (
        {} if variant.has_big_ids else {(HISTORY_TABLE, "id"): ("integer", True, None)}
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_second_migration_of_adopted_tables_changes_nothing(
    empty_database_url: str, variant: Variant
) -> None:
    with adopted(empty_database_url, variant) as (conn, _):
        before = schema_objects(conn), contents(conn)

        connection.migrate(conn)

        assert (schema_objects(conn), contents(conn)) == before


@pytest.mark.parametrize("variant", VARIANTS)
def test_imports_and_dry_runs_work_on_adopted_tables(
    empty_database_url: str, variant: Variant
) -> None:
    """Rows of the earlier system are updated, unchanged or stale, like our own rows."""
    of = new_version(upload(object_key="k" * 1000, uploaded_at=MORNING))
    data = csv_bytes(
        appointment("A-0", _updated_at="2024-12-31T23:00:00Z"),
        appointment("A-1", _updated_at="2024-12-31T22:59:59Z"),
        {**appointment("A-2", _updated_at=LONG_AGO.isoformat()), "saleAmount": "12.5"},
        appointment("new"),
    )
    users = csv_bytes(user("U-0"), user("U-1"))
    late = new_version(upload(uploaded_at=MORNING - timedelta(hours=1)))
    with adopted(empty_database_url, variant) as (conn, _):
        forecast = dry_run(empty_database_url, data, of)
        users_forecast = dry_run(empty_database_url, users)

        counts = run(conn, data, of).counts

        assert counts == forecast.counts == Counts(created=1, updated=2, stale=1)
        assert run(conn, data).counts == Counts(unchanged=3, stale=1)
        assert (
            run(conn, users).counts
            == users_forecast.counts
            == Counts(created=1, updated=1)
        )
        assert run(conn, users, late).counts == Counts(stale=2)
        amounts = {
            key: row["sale_amount"]
            for key, row in stored(conn, APPOINTMENT_TABLE).items()
        }
        assert amounts == dict.fromkeys(amounts, Decimal("12.50"))
        assert run(conn, b"").status == "failed"


@pytest.mark.parametrize("variant", VARIANTS)
def test_history_lists_the_imports_of_the_earlier_system(
    empty_database_url: str, variant: Variant
) -> None:
    with adopted(empty_database_url, variant) as (conn, _):
        older = recent_imports(conn, "csv_appointments")
        run(conn, csv_bytes(appointment("new")))
        paths = [import_.file_path for import_ in recent_imports(conn)]
        [failed] = recent_imports(conn, "csv_users")

    assert older == [
        Import(
            id=1,
            sync_type="csv_appointments",
            status="completed",
            is_interrupted=False,
            started_at=LONG_AGO,
            completed_at=LONG_AGO,
            processed=5,
            counts=Counts(created=3, updated=1),
            attempts=0,
            file_path="exports/SalesPro2024-12-31.csv",
            report_location=None,
            error_message="" if variant.has_required_texts else None,
        )
    ]
    assert paths == [
        "s3://salespro-uploads/SalesPro2025-06-18.csv",
        "exports/users.csv",
        "exports/SalesPro2024-12-31.csv",
    ]
    assert failed.error_message == "could not connect"


@pytest.mark.parametrize("variant", VARIANTS)
def test_earlier_system_can_still_write_to_the_tables(
    empty_database_url: str, variant: Variant
) -> None:
    """Both systems may run for a while, and a rollback must be possible."""
    with adopted(empty_database_url, variant) as (conn, models):
        run(conn, csv_bytes(appointment("ours")))

        models.appointment.objects.create(id="theirs")
        models.user.objects.create(user_object_id="theirs")
        import_ = models.history.objects.create(
            sync_type="csv_appointments",
            started_at=LONG_AGO,
            status="completed",
            records_processed=9,
            records_created=1,
            records_updated=1,
            file_path="exports/again.csv",
        )

        assert {"ours", "theirs"} <= set(stored(conn, APPOINTMENT_TABLE))
        assert "theirs" in stored(conn, USERS_TABLE)
        assert stored(conn, HISTORY_TABLE)[import_.pk]["attempts"] == 0


def test_view_that_blocks_a_type_change_is_refused_with_the_fix(
    empty_database_url: str,
) -> None:
    """Postgres does not change the type of a column that a view uses."""
    variant = Variant(has_required_texts=True)
    with (
        earlier_system(empty_database_url, variant),
        connection.connect(empty_database_url) as conn,
    ):
        conn.execute("CREATE VIEW dashboard AS SELECT * FROM salespro_sync_history")
        before = columns(conn)

        with pytest.raises(
            StoreRefused, match="Drop the view, migrate, and create the view again"
        ):
            connection.migrate(conn)

        assert columns(conn) == before


def test_view_of_a_history_with_text_columns_does_not_block_the_adoption(
    empty_database_url: str,
) -> None:
    """Their types need no change."""
    with (
        earlier_system(empty_database_url, Variant()),
        connection.connect(empty_database_url) as conn,
    ):
        conn.execute("CREATE VIEW dashboard AS SELECT * FROM salespro_sync_history")

        connection.migrate(conn)

        assert number(conn, "SELECT count(*) FROM dashboard") == 2
