"""A pipeline: its results, errors, and what it leaves in the session."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg import Connection
from psycopg.pq import PipelineStatus, TransactionStatus

from salespro_core.postgres import connection
from salespro_core.postgres.session import start_transaction
from salespro_core.postgres.watchdog import statement_deadline
from salespro_core.postgres.wire import (
    Pipeline,
    Query,
    execute_alone,
    execute_and_commit,
    numbered,
)
from tests.support.import_runs import interrupt_after
from tests.support.servers.tcp_proxy import postgres_proxy
from tests.support.table_contents import number


def test_results_come_in_the_order_of_the_statements(conn: Connection) -> None:
    pipeline = Pipeline(conn)
    pipeline.execute(b"BEGIN")
    pipeline.prepare(b"SELECT $1::int * 2")
    positions = [pipeline.execute_prepared([b"%d" % i]) for i in range(100)]
    pipeline.execute(b"COMMIT")
    results = pipeline.send().fetch()

    assert [results[position].get_value(0, 0) for position in positions] == [
        b"%d" % (2 * i) for i in range(100)
    ]
    assert conn.info.transaction_status is TransactionStatus.IDLE
    assert conn.info.pipeline_status == PipelineStatus.OFF
    # A pooler would give it to the next client.
    assert number(conn, "SELECT count(*) FROM pg_prepared_statements") == 0


def test_parameters_larger_than_all_buffers_are_sent(conn: Connection) -> None:
    pipeline = Pipeline(conn)
    for _ in range(5):
        pipeline.execute(b"SELECT length($1)", [b"x" * 5_000_000])
    results = pipeline.send().fetch()

    assert [result.get_value(0, 0) for result in results] == [b"5000000"] * 5


def test_results_larger_than_all_buffers_are_read_while_parameters_are_sent(
    conn: Connection,
) -> None:
    """Otherwise both sides would wait for the other one to read."""
    pipeline = Pipeline(conn)
    for _ in range(5):
        pipeline.execute(b"SELECT $1", [b"x" * 5_000_000])
    with statement_deadline(conn, 30.0):
        results = pipeline.send().fetch()

    assert [len(result.get_value(0, 0) or b"") for result in results] == [5_000_000] * 5


def test_first_error_is_raised_and_the_connection_stays_usable(
    conn: Connection,
) -> None:
    pipeline = Pipeline(conn)
    for statement in (b"BEGIN", b"SELECT 1 / 0", b"SELECT nothing", b"COMMIT"):
        pipeline.execute(statement)

    with pytest.raises(psycopg.errors.DivisionByZero):
        pipeline.send().fetch()

    assert conn.info.transaction_status is TransactionStatus.INERROR
    conn.execute("ROLLBACK")
    assert number(conn, "SELECT 1") == 1


def test_session_that_ends_raises_an_error_and_closes_the_connection(
    conn: Connection,
) -> None:
    pipeline = Pipeline(conn)
    pipeline.execute(b"SELECT pg_terminate_backend(pg_backend_pid())")
    pipeline.execute(b"SELECT 1")

    with pytest.raises(psycopg.OperationalError):
        pipeline.send().fetch()

    assert conn.closed


@pytest.mark.parametrize("is_sent", [True, False])
def test_abandoned_pipeline_leaves_an_idle_connection(
    conn: Connection, *, is_sent: bool
) -> None:
    pipeline = Pipeline(conn)
    for statement in (b"BEGIN", b"SELECT pg_sleep(60)", b"COMMIT"):
        pipeline.execute(statement)
    if is_sent:
        pipeline.send()

    pipeline.abandon(2.0)

    assert number(conn, "SELECT 1") == 1
    assert conn.info.transaction_status is TransactionStatus.IDLE


def test_pipeline_that_ctrl_c_ended_is_not_fetched_a_second_time(
    conn: Connection,
) -> None:
    """Psycopg has fetched the rest; a second wait for it would never end."""
    pipeline = Pipeline(conn)
    for statement in (b"BEGIN", b"SELECT pg_sleep(60)", b"COMMIT"):
        pipeline.execute(statement)
    pipeline.send()

    with interrupt_after(0.5, KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        pipeline.fetch()
    pipeline.abandon(2.0)

    assert number(conn, "SELECT 1") == 1
    assert conn.info.transaction_status is TransactionStatus.IDLE


def test_abandoned_pipeline_on_a_dead_network_closes_the_connection(
    database_url: str,
) -> None:
    with postgres_proxy(database_url) as (url, proxy), connection.connect(url) as conn:
        proxy.plan = lambda _: "blackhole"
        pipeline = Pipeline(conn)
        pipeline.execute(b"SELECT 1")

        pipeline.abandon(2.0)

        assert conn.closed


def query(text: str, /, **values: object) -> Query:
    return Query(numbered(text), values)


def test_rows_of_a_transaction_of_its_own_have_names_and_types(
    conn: Connection,
) -> None:
    settings, values = execute_alone(
        conn,
        query("SELECT current_setting('statement_timeout') AS timeout"),
        query(
            "SELECT %(n)s::int AS n, %(n)s::int > 1 AS is_more, %(text)s::jsonb AS j,"
            " %(none)s::text AS none, %(pause)s::interval AS pause",
            n=2,
            text='{"a": [1]}',
            none=None,
            pause=timedelta(milliseconds=20),
        ),
    )

    assert settings == [{"timeout": "1min"}]
    assert values == [
        {
            "n": 2,
            "is_more": True,
            "j": {"a": [1]},
            "none": None,
            "pause": timedelta(milliseconds=20),
        }
    ]
    assert conn.info.transaction_status is TransactionStatus.IDLE
    assert number(conn, "SELECT count(*) FROM pg_prepared_statements") == 0


def test_transaction_with_an_error_writes_nothing_and_leaves_an_idle_connection(
    conn: Connection,
) -> None:
    conn.execute("CREATE TABLE numbers (n int PRIMARY KEY)")
    insert = query("INSERT INTO public.numbers VALUES (1)")

    with pytest.raises(psycopg.errors.UniqueViolation):
        execute_alone(conn, insert, insert)
    assert conn.info.transaction_status is TransactionStatus.IDLE

    start_transaction(conn)
    conn.execute("INSERT INTO public.numbers VALUES (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute_and_commit(conn, insert)

    assert conn.info.transaction_status is TransactionStatus.IDLE
    assert number(conn, "SELECT count(*) FROM numbers") == 0


def test_last_query_of_a_transaction_is_committed(
    conn: Connection, database_url: str
) -> None:
    conn.execute("CREATE TABLE numbers (n int)")
    start_transaction(conn)

    rows = execute_and_commit(
        conn, query("INSERT INTO public.numbers VALUES (7) RETURNING n")
    )

    assert rows == [{"n": 7}]
    with connection.connect(database_url) as other:
        assert number(other, "SELECT n FROM numbers") == 7
