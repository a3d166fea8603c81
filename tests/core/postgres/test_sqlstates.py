"""Postgres' errors become StoreUnavailable or StoreRefused, without any cell's value."""

from __future__ import annotations

import select
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from psycopg import Connection

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.postgres import connection
from salespro_core.postgres.sqlstates import is_row_error, store_errors
from tests.support.builders import appointment, csv_bytes
from tests.support.databases import temporary_role
from tests.support.import_runs import run
from tests.support.table_contents import wait_until_blocked, wait_until_gone

PRIVATE = "Garcia"  # a cell or a password, which must not appear in any message


def unavailable(conn: Connection, query: str) -> str:
    """Execute the query, expect a retryable error, and return its message."""
    with pytest.raises(StoreUnavailable) as raised, store_errors("testing"):
        conn.execute(query.encode())
    assert isinstance(raised.value.__cause__, psycopg.Error)
    assert PRIVATE not in str(raised.value)
    return str(raised.value)


# --- retryable ------------------------------------------------------------------------


def test_statement_timeout_is_retryable(conn: Connection) -> None:
    """The statement waited for another session."""
    conn.execute("SET statement_timeout = '20ms'")

    message = unavailable(conn, "SELECT pg_sleep(5)")

    assert message == (
        "While testing: Postgres failed with QueryCanceled, SQLSTATE 57014. "
        "A retry may succeed."
    )


def test_lock_timeout_is_retryable(database_url: str, conn: Connection) -> None:
    """A migration or a person in psql holds the lock."""
    conn.execute("SET lock_timeout = '20ms'")
    with connection.connect(database_url) as holder, holder.transaction():
        holder.execute("LOCK salespro_appointment")

        message = unavailable(conn, "DELETE FROM salespro_appointment")

    assert "SQLSTATE 55P03" in message


def test_session_terminated_between_statements_is_retryable(
    database_url: str, conn: Connection
) -> None:
    """The server was restarted, or a NAT gateway dropped the connection."""
    with connection.connect(database_url) as terminated:
        conn.execute("SELECT pg_terminate_backend(%s)", [terminated.info.backend_pid])

        first = unavailable(terminated, "SELECT 1")
        second = unavailable(terminated, "SELECT 1")

    assert "A retry may succeed" in first
    assert "could not be reached or the connection broke" in second


def test_session_terminated_during_a_statement_is_retryable(
    database_url: str, conn: Connection
) -> None:
    """Whether the statement was committed is read from the checkpoint later."""
    with connection.connect(database_url) as terminated, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("LOCK salespro_users")
            query = "SELECT FROM salespro_users"
            waiting = pool.submit(unavailable, terminated, query)
            wait_until_blocked(conn, terminated.info.backend_pid)
            pid = terminated.info.backend_pid
            conn.execute("SELECT pg_terminate_backend(%s)", [pid])

        assert "SQLSTATE 57P01" in waiting.result()


def test_deadlock_is_retryable(database_url: str, conn: Connection) -> None:
    """Postgres aborts one of the two transactions, which can then be repeated."""
    conn.execute("INSERT INTO salespro_users (user_object_id) VALUES ('A'), ('B')")
    both_locked = Barrier(2)

    def lock(first: str, second: str) -> str | None:
        update = "UPDATE salespro_users SET email = 'a' WHERE user_object_id = %s"
        with connection.connect(database_url) as own:
            own.execute("SET deadlock_timeout = '20ms'")
            try:
                with store_errors("testing"), own.transaction():
                    own.execute(update, [first])
                    both_locked.wait()
                    own.execute(update, [second])
            except StoreUnavailable as error:
                return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        messages = list(pool.map(lock, "AB", "BA"))

    (message,) = (each for each in messages if each is not None)
    assert "SQLSTATE 40P01" in message


def test_read_only_server_is_retryable(conn: Connection) -> None:
    """During a failover the standby accepts connections before it accepts writes."""
    conn.execute("SET default_transaction_read_only = on")

    assert "SQLSTATE 25006" in unavailable(conn, "DELETE FROM salespro_users")


def test_idle_transaction_timeout_is_retryable(
    database_url: str, conn: Connection
) -> None:
    """The function was frozen in the middle of a transaction."""
    with connection.connect(database_url) as frozen:
        frozen.execute("SET idle_in_transaction_session_timeout = '1ms'")
        frozen.execute("BEGIN")
        wait_until_gone(conn, frozen.info.backend_pid)
        # A query sent before the server has closed its socket may lose the server's error.
        hung_up = select.poll()
        hung_up.register(frozen.pgconn.socket, select.POLLRDHUP)
        assert hung_up.poll(30_000)

        message = unavailable(frozen, "SELECT 1")

    assert "SQLSTATE 25P03" in message


# --- refused --------------------------------------------------------------------------


def test_missing_table_is_refused_with_the_command_to_run(
    empty_database_url: str,
) -> None:
    """The most likely mistake of a first deployment."""
    with (
        connection.connect(empty_database_url) as conn,
        pytest.raises(StoreRefused, match="Run `salespro migrate`") as refused,
    ):
        run(conn, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42P01"


def test_missing_column_is_refused_with_the_command_to_run(conn: Connection) -> None:
    """The importer was updated and the database was not."""
    conn.execute("ALTER TABLE salespro_sync_history DROP COLUMN bucket")

    with pytest.raises(StoreRefused, match="run `salespro migrate`") as refused:
        run(conn, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42703"


def test_missing_privilege_is_refused_with_a_reference_to_the_grants(
    database_url: str,
) -> None:
    """The role may write the history but not the appointments."""
    grant = "SELECT, INSERT, UPDATE ON salespro_sync_history"
    with (
        temporary_role(database_url, grant) as limited,
        connection.connect(limited) as conn,
        pytest.raises(
            StoreRefused, match=r"see the grants in docs/deploy\.md"
        ) as refused,
    ):
        run(conn, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42501"


@pytest.mark.parametrize(
    ("query", "sqlstate"),
    [
        pytest.param(
            "INSERT INTO salespro_appointment (id) VALUES ('Garcia'), ('Garcia')",
            "23505",
            id="unique",
        ),
        pytest.param("SELECT 'Garcia'::int", "22P02", id="not-a-number"),
        pytest.param("SELECT 'Garcia' FROM", "42601", id="syntax"),
        pytest.param(
            "INSERT INTO salespro_appointment (id, customer_last_name)"
            " VALUES (NULL, 'Garcia')",
            "23502",
            id="null",
        ),
    ],
)
def test_refused_statement_is_named_by_its_sqlstate_without_any_value(
    conn: Connection, query: str, sqlstate: str
) -> None:
    """Postgres' own message and its DETAIL repeat the values."""
    with pytest.raises(psycopg.Error, match=PRIVATE):
        conn.execute(query.encode())

    with pytest.raises(StoreRefused) as refused, store_errors("writing row 5"):
        conn.execute(query.encode())

    assert refused.value.sqlstate == sqlstate
    assert str(refused.value).startswith("While writing row 5: Postgres refused with ")
    assert f", SQLSTATE {sqlstate}" in str(refused.value)
    assert PRIVATE not in str(refused.value)


def test_value_that_psycopg_refuses_has_no_sqlstate(conn: Connection) -> None:
    """Psycopg does not send a NUL byte to the server."""
    with pytest.raises(StoreRefused) as refused, store_errors("testing"):
        conn.execute("SELECT %s", [f"{PRIVATE}\0"])

    assert refused.value.sqlstate is None
    assert str(refused.value) == (
        "While testing: Postgres refused with DataError, SQLSTATE unknown. "
        "The server's log has the details."
    )


def test_exception_that_is_not_from_psycopg_is_not_mapped() -> None:
    with pytest.raises(KeyError), store_errors("testing"):
        raise KeyError(PRIVATE)


@pytest.mark.parametrize("sqlstate", ["42501", "42804", "42883", "42P01", "55000"])
def test_error_that_a_trigger_raises_is_refused_without_its_text(
    conn: Connection, sqlstate: str
) -> None:
    """The text of a trigger may quote the row; Postgres' own texts of class 42 do not."""
    conn.execute(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'no %', NEW.last_name USING ERRCODE = '{sqlstate}';
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON salespro_users
               FOR EACH ROW EXECUTE FUNCTION refuse()
        """)
    insert = "INSERT INTO salespro_users (user_object_id, last_name) VALUES ('A', %s)"

    with pytest.raises(StoreRefused) as refused, store_errors("testing"):
        conn.execute(insert, [PRIVATE])

    assert PRIVATE not in str(refused.value)
    assert f"SQLSTATE {sqlstate}" in str(refused.value)
    assert "A trigger or a function of the table raised it" in str(refused.value)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 'Garcia'::int", True),
        ("INSERT INTO salespro_users (user_object_id) VALUES (NULL)", True),
        ("DO $$ BEGIN RAISE 'no'; END $$", True),
        ("SELECT FROM no_such_table", False),
        ("SELECT 1 FROM", False),
        ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", False),
        # Its constraints hold unless the importer has a bug.
        ("INSERT INTO salespro_sync_history (sync_type) VALUES (NULL)", False),
    ],
)
def test_row_is_the_cause_of_invalid_data_and_constraints_except_of_the_history(
    conn: Connection, query: str, *, expected: bool
) -> None:
    with pytest.raises(psycopg.Error) as error:
        conn.execute(query.encode())

    assert is_row_error(error.value) == expected
