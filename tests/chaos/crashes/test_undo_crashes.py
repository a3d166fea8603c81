"""An undo that dies at any statement ends, by the next call, in the state of a clean undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Literal

import pytest
from psycopg import Connection

from salespro_core.errors import ClaimHeld, ClaimLost, SalesProError
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.options import Options
from salespro_core.importer.undo import undo_import
from salespro_core.model.counts import Counts
from salespro_core.postgres import connection
from tests.core.importer.undo.runs import changed, dump, run_import
from tests.support.builders import appointment
from tests.support.servers.tcp_proxy import Action, Moment, Proxy, postgres_proxy
from tests.support.world.moments import expire_leases

pytestmark = pytest.mark.crashes

OPTIONS = Options(checkpoint_rows=4)
KEYS = [f"K{number:02}" for number in range(10)]
# Of a clean undo of import 2: three chunks, and the look for a fourth.
STATEMENTS = 68
EXPECTED = Counts(updated=4, deleted=5, left=1)
When = Literal["before", "after"]


@pytest.fixture
def expected(conn: Connection) -> list[list[Any]]:
    """The tables after a clean undo of import 2, which created five rows of ten."""
    run_import(conn, *(appointment(key, saleAmount="1.00") for key in KEYS[::2]))
    clean = dump(conn)
    run_import(conn, *(changed(key, "2.00") for key in KEYS), name="b.csv")
    conn.execute("UPDATE salespro_appointment SET sale_amount = 9 WHERE id = 'K04'")
    row = conn.execute("SELECT * FROM salespro_appointment WHERE id = 'K04'").fetchone()
    clean[0] = [row if each[0] == "K04" else each for each in clean[0]]
    return clean


@pytest.fixture
def proxied(database_url: str) -> Iterator[tuple[str, Proxy]]:
    """A conninfo whose connections a proxy can break."""
    with postgres_proxy(database_url) as (url, proxy):
        yield url, proxy


def at(
    number: int, when: When, act: Callable[[], Action | None]
) -> Callable[[Moment], Action | None]:
    """A plan of the proxy that acts at one moment."""

    def plan(moment: Moment) -> Action | None:
        is_there = moment.number == number and moment.is_answered == (when == "after")
        return act() if is_there else None

    return plan


def check(conn: Connection, expected: list[list[Any]]) -> None:
    """Complete the undo, and compare it with a clean one."""
    expire_leases(conn)
    outcome = undo_import(conn, 2, options=OPTIONS)

    assert dump(conn) == expected
    [history] = conn.execute(
        "SELECT status, records_processed, records_updated, records_deleted, records_left,"
        " records_created, lease_expires_at FROM salespro_sync_history"
        " WHERE undoes = 2 ORDER BY id LIMIT 1"
    ).fetchall()
    assert history == ("completed", 10, 4, 5, 1, 0, None)
    assert [(row.key, row.reason) for row in outcome.left] == [("K04", "was changed")]
    recorded = conn.execute(
        "SELECT kind, count(*) FROM salespro_changes WHERE import_id > 2"
        " AND table_name = 'salespro_appointment' GROUP BY 1 ORDER BY 1"
    )
    assert recorded.fetchall() == [("deleted", 5), ("updated", 4)]


def test_clean_undo_sends_the_statements_that_these_tests_number(
    conn: Connection, proxied: tuple[str, Proxy], expected: list[list[Any]]
) -> None:
    url, proxy = proxied
    with connection.connect(url) as undoing:
        proxy.statements.clear()
        outcome = undo_import(undoing, 2, options=OPTIONS)

    assert (outcome.counts, dump(conn)) == (EXPECTED, expected)
    assert len(proxy.statements) == STATEMENTS


@pytest.mark.parametrize(
    ("number", "reconnects"),
    [(number, False) for number in range(STATEMENTS)]
    + [(number, True) for number in range(0, STATEMENTS, 3)],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_undo_whose_connection_breaks_ends_in_the_state_of_a_clean_undo(
    conn: Connection,
    proxied: tuple[str, Proxy],
    expected: list[list[Any]],
    number: int,
    when: When,
    *,
    reconnects: bool,
) -> None:
    url, proxy = proxied
    cuts = 0

    def cut() -> Action:
        nonlocal cuts
        cuts += 1
        return "cut"

    with ExitStack() as stack:

        def connect() -> Connection:
            return stack.enter_context(connection.connect(url))

        undoing = connect()
        proxy.plan = at(len(proxy.statements) + number, when, cut)
        callbacks = ImportCallbacks(reconnect=connect if reconnects else None)
        try:
            undo_import(undoing, 2, options=OPTIONS, callbacks=callbacks)
        except ClaimHeld:
            pass  # by its own claim, whose reply was lost
        except SalesProError:
            assert not reconnects
    assert cuts == 1

    check(conn, expected)


@pytest.mark.parametrize("chunk", range(4))
def test_undo_that_was_taken_over_writes_nothing_more(
    conn: Connection, proxied: tuple[str, Proxy], expected: list[list[Any]], chunk: int
) -> None:
    url, proxy = proxied
    begun = 0

    def plan(moment: Moment) -> Action | None:
        nonlocal begun
        if moment.text.startswith("BEGIN") and not moment.is_answered:
            begun += 1
            if begun == 3 + chunk:
                expire_leases(conn)
                undo_import(conn, 2, options=OPTIONS)
        return None

    with connection.connect(url) as undoing:
        proxy.plan = plan
        with pytest.raises(ClaimLost):
            undo_import(undoing, 2, options=OPTIONS)

    assert dump(conn) == expected
