"""The session that the importer relies on, and Postgres' errors in our words."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import LiteralString

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from salespro_core.errors import StoreRefused, StoreUnavailable
from salespro_core.model.outcome import Counts
from salespro_core.postgres import connection
from salespro_core.postgres.connection import is_alive
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history import claims
from tests.support.builders import appointment, csv_bytes, user
from tests.support.import_runs import run
from tests.support.table_contents import (
    APPOINTMENT_TABLE,
    TABLES,
    role,
    stored,
    wait_until_blocked,
    wait_until_gone,
)

PRIVATE = "Garcia"  # stands for a cell, and for a password


def broken_by(error: type[Exception], act: Callable[[], object]) -> str:
    """What is said, in our words, when this fails in this way."""
    with pytest.raises(error) as raised, store_errors("trying"):
        act()
    assert isinstance(raised.value.__cause__, psycopg.Error)
    assert PRIVATE not in str(raised.value)
    return str(raised.value)


def execute(conn: Connection, query: str) -> Callable[[], object]:
    return lambda: conn.execute(query.encode())


# --- the session ----------------------------------------------------------------------


def test_a_session_has_the_limits_that_the_importer_relies_on(conn: Connection) -> None:
    """A statement that waits for ever would outlive its function, and its lease."""
    names = [
        "application_name",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "client_encoding",
        "enable_seqscan",
        "jit",
        "TimeZone",
    ]
    rows = [conn.execute("SELECT current_setting(%s)", [n]).fetchone() for n in names]

    assert dict(zip(names, rows, strict=True)) == {
        "application_name": ("salespro-importer",),
        "statement_timeout": ("1min",),
        "lock_timeout": ("30s",),
        "idle_in_transaction_session_timeout": ("1min",),
        "client_encoding": ("UTF8",),
        "enable_seqscan": ("off",),
        "jit": ("off",),
        "TimeZone": ("UTC",),
    }
    assert conn.autocommit
    assert claims.LEASE.total_seconds() > connection.STATEMENT_TIMEOUT_S


@pytest.mark.parametrize(
    "setting", ["DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Kolkata'", "jit = on"]
)
def test_the_settings_of_a_warehouse_do_not_get_in_the_way(
    database_url: str, conn: Connection, setting: LiteralString
) -> None:
    """With another DateStyle psycopg cannot read a date, and every claim crashed."""
    name = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("ALTER DATABASE {} SET {}").format(name, sql.SQL(setting)))
    data = csv_bytes(appointment("A", _created_at="9999-12-31T23:59:59.999Z"))

    with connection.connect(database_url) as mine:
        assert run(mine, data).counts == Counts(created=1)
        assert run(mine, data).counts == Counts(unchanged=1)
        assert stored(mine, APPOINTMENT_TABLE)["A"]["created_at"] == datetime(
            9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC
        )


def test_a_conninfo_keeps_what_it_says(database_url: str) -> None:
    """The limits are added to it, and take nothing away."""
    conninfo = make_conninfo(database_url, options="-c work_mem=5MB")

    with connection.connect(conninfo) as conn:
        assert conn.execute("SHOW work_mem").fetchone() == ("5MB",)
        assert conn.info.get_parameters()["connect_timeout"] == "10"


def test_a_session_that_was_cut_is_not_alive(
    database_url: str, conn: Connection
) -> None:
    """A function is frozen between invocations, and its connection may die meanwhile."""
    with connection.connect(database_url) as other:
        before = is_alive(other)
        conn.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])

        assert (before, is_alive(other), is_alive(other)) == (True, False, False)


def test_a_session_that_is_closed_or_stuck_is_not_alive(database_url: str) -> None:
    """Nor one in a transaction that has failed: nothing more can be done in it."""
    with connection.connect(database_url) as stuck:
        stuck.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            stuck.execute("SELECT 1 / 0")
        assert not is_alive(stuck)

    assert not is_alive(stuck)


# --- connecting -----------------------------------------------------------------------


def test_a_role_that_does_not_exist_is_a_mistake_in_the_set_up(server: str) -> None:
    """It would fail again and again, so the message says what to check."""
    with pytest.raises(StoreRefused, match="check DATABASE_URL or the secret"):
        connection.connect(make_conninfo(server, user="nobody_here", password=PRIVATE))


AT = 'connection to server at "10.0.0.1", port 5432 failed: FATAL:  '


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        pytest.param(
            f'{AT}password authentication failed for user "{PRIVATE}"',
            StoreRefused,
            "check DATABASE_URL or the secret",
            id="wrong-password",
        ),
        pytest.param(
            'connection to server at "h", port 5432 failed: fe_sendauth: '
            "no password supplied",
            StoreRefused,
            "check DATABASE_URL or the secret",
            id="no-password",
        ),
        pytest.param(
            f'{AT}no pg_hba.conf entry for host "10.0.0.9", user "{PRIVATE}", '
            'database "d", no encryption',
            StoreRefused,
            "check pg_hba.conf and sslmode",
            id="not-from-here",
        ),
        pytest.param(
            f"{AT}sorry, too many clients already",
            StoreUnavailable,
            "Another try may do",
            id="too-many-clients",
        ),
        pytest.param(
            f"{AT}the database system is starting up",
            StoreUnavailable,
            "Another try may do",
            id="starting-up",
        ),
        pytest.param(
            'could not translate host name "db.internal" to address',
            StoreUnavailable,
            "check the host",
            id="unknown-host",
        ),
    ],
)
def test_what_the_server_of_a_test_never_says_is_told_apart_by_its_text(
    text: str, error: type[Exception], said: str
) -> None:
    """Libpq hands on no SQLSTATE for a failure to connect, only this."""
    with pytest.raises(error, match=said) as raised, store_errors("connecting"):
        raise psycopg.OperationalError(text)

    assert PRIVATE not in str(raised.value)


def test_a_database_that_does_not_exist_is_a_mistake_in_the_set_up(server: str) -> None:
    """As with a role."""
    with pytest.raises(StoreRefused, match="database does not exist: check the name"):
        connection.connect(make_conninfo(server, dbname="nothing_here"))


def test_a_database_that_a_role_may_not_enter_is_a_mistake_in_the_set_up(
    database_url: str, conn: Connection
) -> None:
    """Libpq tells it as text only, like a server that cannot be reached."""
    name = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))

    with role(database_url) as limited, pytest.raises(StoreRefused, match="privilege"):
        connection.connect(limited)


def test_where_nobody_listens_another_attempt_may_do() -> None:
    """The server is being restarted, or its address is wrong: the message says both."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    with pytest.raises(StoreUnavailable, match="check the host, the port"):
        connection.connect(f"host=127.0.0.1 port={port} user=me password={PRIVATE}")


@pytest.mark.parametrize(
    "conninfo",
    [
        pytest.param(f"postgresql://me:{PRIVATE}@[host/db", id="url"),
        pytest.param(f"postgresql://me:{PRIVATE}%@host/db", id="bad-escape"),
        pytest.param(f"me {PRIVATE} host", id="no-keywords"),
        pytest.param(f"pass={PRIVATE}", id="unknown-keyword"),
    ],
)
def test_what_is_no_conninfo_is_not_repeated(conninfo: str) -> None:
    """Libpq's message quotes the part it stumbled over: often a piece of the password."""
    with pytest.raises(StoreRefused, match="DATABASE_URL is neither") as refused:
        connection.connect(conninfo)

    assert PRIVATE not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


# --- worth another try ----------------------------------------------------------------


def test_a_statement_that_takes_too_long_is_worth_another_try(conn: Connection) -> None:
    """It waited for somebody."""
    conn.execute("SET statement_timeout = '20ms'")

    said = broken_by(StoreUnavailable, execute(conn, "SELECT pg_sleep(5)"))

    assert said == (
        "While trying: Postgres gave up (QueryCanceled, SQLSTATE 57014). "
        "Another try may do."
    )


def test_a_lock_that_is_not_had_in_time_is_worth_another_try(
    database_url: str, conn: Connection
) -> None:
    """A migration or a person at psql has it."""
    conn.execute("SET lock_timeout = '20ms'")
    with connection.connect(database_url) as other, other.transaction():
        other.execute("LOCK salespro_appointment")

        said = broken_by(
            StoreUnavailable, execute(conn, "DELETE FROM salespro_appointment")
        )

    assert "SQLSTATE 55P03" in said


def test_a_connection_that_was_cut_is_worth_another_try(
    database_url: str, conn: Connection
) -> None:
    """Between two statements: the server was restarted, or the network has forgotten."""
    with connection.connect(database_url) as other:
        conn.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])

        assert "Another try may do" in broken_by(
            StoreUnavailable, execute(other, "SELECT 1")
        )
        assert "could not be reached or the connection broke" in broken_by(
            StoreUnavailable, execute(other, "SELECT 1")
        )


def test_a_connection_that_is_cut_in_a_statement_is_worth_another_try(
    database_url: str, conn: Connection
) -> None:
    """Whether it was carried out is found in the checkpoint."""
    with connection.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("LOCK salespro_users")
            read = execute(other, "SELECT FROM salespro_users")
            waiting = pool.submit(broken_by, StoreUnavailable, read)
            wait_until_blocked(conn, other.info.backend_pid)
            conn.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])

        assert "SQLSTATE 57P01" in waiting.result()


def test_a_deadlock_is_worth_another_try(database_url: str, conn: Connection) -> None:
    """Postgres ends one of the two, which rolls back and may come again."""
    conn.execute("INSERT INTO salespro_users (user_object_id) VALUES ('A'), ('B')")
    together = Barrier(2)

    def lock(first: str, second: str) -> str | None:
        update = "UPDATE salespro_users SET email = 'a' WHERE user_object_id = %s"
        with connection.connect(database_url) as mine:
            mine.execute("SET deadlock_timeout = '20ms'")
            try:
                with store_errors("trying"), mine.transaction():
                    mine.execute(update, [first])
                    together.wait()
                    mine.execute(update, [second])
            except StoreUnavailable as error:
                return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lock, "AB", "BA"))

    (loser,) = (each for each in said if each is not None)
    assert "SQLSTATE 40P01" in loser


def test_a_server_that_only_reads_is_worth_another_try(conn: Connection) -> None:
    """During a failover the standby answers before it may be written to."""
    conn.execute("SET default_transaction_read_only = on")

    assert "SQLSTATE 25006" in broken_by(
        StoreUnavailable, execute(conn, "DELETE FROM salespro_users")
    )


def test_a_transaction_of_ours_that_stood_idle_is_worth_another_try(
    database_url: str, conn: Connection
) -> None:
    """The function was frozen in the middle of it."""
    with connection.connect(database_url) as frozen:
        frozen.execute("SET idle_in_transaction_session_timeout = '1ms'")
        frozen.execute("BEGIN")
        wait_until_gone(conn, frozen.info.backend_pid)
        # What is asked just before the server closes its socket may cost its last word.
        hung_up = select.poll()
        hung_up.register(frozen.pgconn.socket, select.POLLRDHUP)
        assert hung_up.poll(30_000)

        said = broken_by(StoreUnavailable, execute(frozen, "SELECT 1"))

    assert "SQLSTATE 25P03" in said


# --- it would fail again --------------------------------------------------------------


def test_a_missing_table_says_what_to_run(empty_database_url: str) -> None:
    """The first thing that happens to whoever forgets it."""
    with (
        connection.connect(empty_database_url) as conn,
        pytest.raises(StoreRefused, match="run `salespro migrate`") as refused,
    ):
        run(conn, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42P01"


def test_a_missing_column_says_what_to_run(conn: Connection) -> None:
    """After an update of the importer."""
    conn.execute("ALTER TABLE salespro_sync_history DROP COLUMN bucket")

    with pytest.raises(StoreRefused, match="run `salespro migrate`") as refused:
        run(conn, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42703"


def test_a_missing_privilege_says_where_the_grants_are(
    database_url: str,
) -> None:
    """The history may be written but the table may not."""
    grants = ["SELECT, INSERT, UPDATE ON salespro_sync_history"]
    with (
        role(database_url, *grants) as limited,
        connection.connect(limited) as conn,
        pytest.raises(StoreRefused, match="see the grants in the README") as refused,
    ):
        run(conn, csv_bytes(appointment()))

    assert refused.value.sqlstate == "42501"


def test_to_read_insert_and_update_is_all_the_right_an_import_needs(
    database_url: str,
) -> None:
    """Not to delete, and not to own anything."""
    grants = [f"SELECT, INSERT, UPDATE ON {table}" for table in TABLES]
    with role(database_url, *grants) as limited, connection.connect(limited) as conn:
        for data in (csv_bytes(appointment()), csv_bytes(user())):
            assert run(conn, data).counts == Counts(created=1)
            assert run(conn, data).counts == Counts(unchanged=1)


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
def test_what_would_fail_again_is_refused_by_its_code_without_any_cell(
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


def test_what_psycopg_itself_refuses_has_no_code(conn: Connection) -> None:
    """A NUL byte never gets as far as the server."""
    with pytest.raises(StoreRefused) as refused, store_errors("trying"):
        conn.execute("SELECT %s", [f"{PRIVATE}\0"])

    assert refused.value.sqlstate is None
    assert str(refused.value) == (
        "While trying: Postgres refused with DataError, SQLSTATE unknown. "
        "The server's log has the details."
    )


def test_what_is_no_error_of_postgres_passes() -> None:
    """It is somebody else's to explain."""
    with pytest.raises(KeyError), store_errors("trying"):
        raise KeyError(PRIVATE)
