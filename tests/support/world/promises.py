"""The promises of docs/reliability.md as assertions on the database and the log.

I1  Nothing is lost: every good row of an accepted upload is in the table, or its import
    is unfinished or failed in the history and its message is redelivered.
I2  Nothing is counted twice: the counts add up and match the table.
I3  `completed` means that all rows are committed, and the reverse.
I4  The schedule does not matter: the tables end as after one clean run.
I5  Errors name the object, the phase, the cause and the remedy, without personal data.
I6  An attempt ends before its deadline and leaves no transaction and no lease.

Each function raises AssertionError with the number of the broken promise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from salespro_core.sync_history import claims
from tests.support.builders import CANARY
from tests.support.table_contents import number
from tests.support.world.model import Model
from tests.support.world.uploads import TrackedUpload

HistoryRow = Mapping[str, Any]


def check_tables(conn: Connection, model: Model) -> None:
    """I1, I2, I4: the tables match the model, and `created` counts their rows."""
    appointments = conn.execute(
        'SELECT id, to_char(updated_at, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\'),'
        " sale_amount::text FROM salespro_appointment"
    ).fetchall()
    users = conn.execute(
        "SELECT user_object_id, additional_amount::text FROM salespro_users"
    ).fetchall()
    actual = {row[0]: row[1:] for row in [*appointments, *users]}
    expected = {
        key: tuple((row.values or {}).values()) for key, row in model.table.items()
    }
    assert actual == expected, "I1, I4: the tables differ from the model"
    created = number(
        conn, "SELECT coalesce(sum(records_created), 0) FROM salespro_sync_history"
    )
    assert created == len(actual), "I2: `created` differs from the rows in the tables"


def check_import(upload: TrackedUpload, history_row: HistoryRow | None) -> None:
    """I1, I2, I3, I5, I6: the history row of one delivered upload."""
    if history_row is None:
        may_be_missing = upload.is_gone or not upload.is_acknowledged
        assert may_be_missing, "I1: acknowledged without a history row"
        return
    assert claims.read_counts(dict(history_row)) == upload.counts, "I2"
    is_complete = upload.counts.processed == len(upload.rows)
    if history_row["status"] == "completed":
        assert is_complete, "I3: completed, but rows are missing"
        assert history_row["lease_expires_at"] is None, "I6"
    elif not upload.is_refused:
        assert not upload.is_acknowledged, "I1, I3: acknowledged, but not completed"
    if history_row["status"] == "failed":
        assert history_row["error_message"], "I5"


def check_done(upload: TrackedUpload, history_row: HistoryRow | None) -> None:
    """I1 at the end: the import is completed, or failed because of its file."""
    assert upload.is_acknowledged, "I1: the message is still in the queue"
    if upload.is_gone:
        return
    assert history_row is not None, "I1: no history row"
    expected = "failed" if upload.is_refused else "completed"
    assert history_row["status"] == expected, "I1"


def check_no_leftovers(conn: Connection) -> None:
    """I6: no lease and no open transaction of the importer.

    Only valid if the function could reach Postgres at the end of its attempt.
    """
    leases = "SELECT count(lease_expires_at) FROM salespro_sync_history"
    assert number(conn, leases) == 0, "I6: a lease is left"
    busy_sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'salespro-importer' AND state <> 'idle'"
        " AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 5
    while number(conn, busy_sessions):
        assert time.monotonic() < deadline, "I6: a transaction is left"
        time.sleep(0.01)


def check_output(
    conn: Connection, output: str, log_lines: Sequence[Mapping[str, Any]]
) -> None:
    """I5: no personal data in the output or the history; each error can be acted on.

    Args:
        output: everything the function has written.
        log_lines: the same, parsed.
    """
    assert CANARY not in output, "I5: personal data in the output"
    with conn.cursor(row_factory=dict_row) as cur:
        history = cur.execute("SELECT * FROM salespro_sync_history").fetchall()
    assert CANARY not in json.dumps(history, default=str), (
        "I5: personal data in history"
    )
    for line in log_lines:
        if line.get("message") in ("import interrupted", "import failed"):
            assert {"bucket", "key"} <= set(line), "I5: the error names no object"
            assert len(line["error"]) > 40, "I5: no phase, cause or remedy"
