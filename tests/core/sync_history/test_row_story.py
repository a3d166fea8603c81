"""The story of one row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused
from salespro_core.importer.options import DEFAULTS, Options
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history import row_story
from salespro_core.sync_history.changes import open_changes
from salespro_core.sync_history.row_story import RowEvent, RowStory, row_stories
from tests.core.sync_history.history_rows import undo
from tests.core.upsert.test_query_plans import first_plan
from tests.support.builders import MORNING, appointment, csv_bytes, upload, user
from tests.support.import_runs import run
from tests.support.table_contents import number

# Kind, import, the import that it undoes, old and new amount.
Event = tuple[str, int | None, int | None, tuple[str | None, str | None] | None]


def story_of(conn: Connection, key: str) -> RowStory:
    [story] = row_stories(conn, key, DEFAULTS.exports)
    return story


def summary(event: RowEvent) -> Event:
    import_ = event.import_
    return (
        event.change.kind,
        import_.id if import_ else None,
        import_.undoes if import_ else None,
        event.change.fields.get("sale_amount"),
    )


def import_amount(
    conn: Connection, key: str, amount: int, options: Options = DEFAULTS
) -> None:
    """Import one appointment; the file is `<amount>.csv`, and its row so many hours old."""
    row = appointment(
        key, saleAmount=f"{amount}.00", _updated_at=f"2025-06-01T{amount:02}:00:00Z"
    )
    run(
        conn,
        csv_bytes(row),
        upload(object_key=f"{amount}.csv"),
        options=options,
    )


def test_row_that_nothing_is_known_of_has_no_story(conn: Connection) -> None:
    import_amount(conn, "A", 1)

    assert row_stories(conn, "a", DEFAULTS.exports) == []
    assert row_stories(conn, "", DEFAULTS.exports) == []


def test_story_says_who_created_the_row_and_each_change(conn: Connection) -> None:
    for amount in (1, 2, 3):
        import_amount(conn, "A", amount)
        import_amount(conn, "B", 10 + amount)

    story = story_of(conn, "A")

    assert (story.table, story.key, story.is_stored) == (
        "salespro_appointment",
        "A",
        True,
    )
    assert [summary(event) for event in story.events] == [
        ("created", 1, None, None),
        ("updated", 3, None, ("1.00", "2.00")),
        ("updated", 5, None, ("2.00", "3.00")),
    ]
    names = [event.import_ and event.import_.file_path for event in story.events]
    assert names == [f"s3://salespro-uploads/{n}.csv" for n in (1, 2, 3)]
    times = [event.at for event in story.events if event.at]
    assert len(times) == 3
    assert times == sorted(times)


def test_row_created_before_changes_were_kept_has_no_known_import(
    conn: Connection,
) -> None:
    import_amount(conn, "A", 1, Options(keep_changes_days=0))
    import_amount(conn, "A", 2)

    created, updated = story_of(conn, "A").events

    assert (summary(created), created.at) == (("created", None, None, None), None)
    assert summary(updated) == ("updated", 2, None, ("1.00", "2.00"))


def test_deleted_and_created_again_row_has_both_lives(conn: Connection) -> None:
    """The first one ends with the undo of its import."""
    import_amount(conn, "A", 1)
    import_amount(conn, "A", 2)
    first = undo(conn, 2)
    second = undo(conn, 1)
    deleted = story_of(conn, "A")
    import_amount(conn, "A", 3)
    import_amount(conn, "A", 4)

    again = story_of(conn, "A")

    first_life = [
        ("created", 1, None, None),
        ("updated", 2, None, ("1.00", "2.00")),
        ("updated", first, 2, ("2.00", "1.00")),
        ("deleted", second, 1, ("1.00", None)),
    ]
    assert [summary(event) for event in deleted.events] == first_life
    assert not deleted.is_stored
    assert [summary(event) for event in again.events] == [
        *first_life,
        ("created", 5, None, None),
        ("updated", 6, None, ("3.00", "4.00")),
    ]
    assert again.is_stored


def test_row_that_an_undo_has_created_again_is_created_once(conn: Connection) -> None:
    import_amount(conn, "A", 1)
    second = undo(conn, 1)
    third = undo(conn, second)

    events = [summary(event) for event in story_of(conn, "A").events]

    assert events == [
        ("created", 1, None, None),
        ("deleted", second, 1, ("1.00", None)),
        ("created", third, second, (None, "1.00")),
    ]


def test_row_deleted_by_somebody_else_is_not_stored_any_more(conn: Connection) -> None:
    import_amount(conn, "A", 1)
    import_amount(conn, "A", 2)
    conn.execute("DELETE FROM salespro_appointment")

    story = story_of(conn, "A")

    assert not story.is_stored
    assert [summary(event)[0] for event in story.events] == ["updated"]


def test_row_that_somebody_else_deleted_is_created_after_its_earlier_changes(
    conn: Connection,
) -> None:
    for amount in (1, 2):
        import_amount(conn, "A", amount)
    conn.execute("DELETE FROM salespro_appointment")
    import_amount(conn, "A", 3)
    import_amount(conn, "A", 4)

    first = [
        ("updated", 2, None, ("1.00", "2.00")),
        ("created", 3, None, None),
        ("updated", 4, None, ("3.00", "4.00")),
    ]
    assert [summary(event) for event in story_of(conn, "A").events] == first
    undo(conn, 4)
    undo(conn, 3)
    assert [summary(event) for event in story_of(conn, "A").events] == [
        *first,
        ("updated", 5, 4, ("4.00", "3.00")),
        ("deleted", 6, 3, ("3.00", None)),
    ]


def test_key_of_an_appointment_and_a_user_has_two_stories(conn: Connection) -> None:
    import_amount(conn, "A", 1)
    run(conn, csv_bytes(user("A", First_Name="Ann")))
    later = upload(version="v2", uploaded_at=MORNING + timedelta(days=1))
    run(conn, csv_bytes(user("A", First_Name="Bea")), later)
    # It also records what it does to the user's memory of uploads.
    undone = undo(conn, 3)

    of_appointment, of_user = row_stories(conn, "A", DEFAULTS.exports)

    assert [summary(event)[:2] for event in of_appointment.events] == [("created", 1)]
    assert of_user.table == "salespro_users"
    assert [summary(event)[:2] for event in of_user.events] == [
        ("created", 2),
        ("updated", 3),
        ("updated", undone),
    ]


def test_import_that_the_history_has_lost_still_has_its_number(
    conn: Connection,
) -> None:
    import_amount(conn, "A", 1)
    conn.execute("DELETE FROM salespro_sync_history")

    [event] = story_of(conn, "A").events

    assert (summary(event)[:2], event.at) == (("created", 1), None)


def test_database_that_is_not_migrated_is_refused_with_the_command(
    conn: Connection,
) -> None:
    conn.execute("DROP TABLE salespro_changes")

    with (
        pytest.raises(StoreRefused, match="run `salespro migrate`"),
        store_errors("reading the changes"),
    ):
        row_stories(conn, "A", DEFAULTS.exports)


def test_changes_are_found_by_import_and_key(conn: Connection) -> None:
    """Ten thousand records for each of twenty imports, of which one page each is read."""
    for number_ in range(20):
        run(conn, csv_bytes(appointment(str(number_))), upload(version=str(number_)))
    conn.execute("""
        INSERT INTO salespro_changes (import_id, key, table_name, kind, changed_at)
        SELECT import, key, 'salespro_appointment', 'updated', now()
          FROM generate_series(1, 20) AS import, generate_series(1, 10000) AS key""")
    query = row_story._RECORDS  # noqa: SLF001 -- its plan is tested
    values = {"key": "77", "tables": ["salespro_appointment"]}

    with open_changes(conn, 1, ()):
        plan = first_plan(
            conn.execute(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}".encode(), values
            )
        )["Plan"]

    pages = number(conn, "SELECT pg_relation_size('salespro_changes') / 8192")
    assert pages > 1000
    assert plan["Actual Rows"] == 20
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200
