"""Large files in Lambda's emulator: memory, timeouts and the delivery that follows."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from salespro_cli.sample_data.generator import write_sample
from salespro_core.model.counts import Counts
from salespro_core.sync_history.queries import recent_imports
from tests.runtime.environment import Environment, log_lines, sqs_delivery
from tests.support.table_contents import number, wait_until
from tools.emulator import Emulator

pytestmark = pytest.mark.runtime

# MANY: more rows than any real export had.  SEVERAL: some chunks, read in a short time.
MANY, SEVERAL = 200_000, 20_000
MEMORY_MB = 256


def sample(rows: int, tmp_path: Path) -> bytes:
    """A file with this number of appointments."""
    path = tmp_path / "sample.csv"
    write_sample("appointments", rows, 7, path)
    return path.read_bytes()


def test_200_000_rows_fit_in_256_mb(environment: Environment, tmp_path: Path) -> None:
    """The kernel limits the process: an allocation beyond the limit fails."""
    environment.put("large.csv", sample(MANY, tmp_path))

    with environment.emulator(data_mb=MEMORY_MB) as running:
        response = running.invoke(sqs_delivery("large.csv"))
        peak_mb = running.peak_mb()

    assert response == {"batchItemFailures": []}, running.output
    assert number(environment.conn, "SELECT count(*) FROM salespro_appointment") == MANY
    assert peak_mb < MEMORY_MB


def test_function_does_not_start_in_8_mb(environment: Environment) -> None:
    """This shows that the limit of the test above is enforced."""
    with environment.emulator(data_mb=8) as running:
        response = running.invoke(sqs_delivery("large.csv"))

    assert response != {"batchItemFailures": []}
    assert log_lines(running) == []


@contextmanager
def blocked_invocation(
    environment: Environment, tmp_path: Path, timeout_s: int
) -> Iterator[tuple[Emulator, Future[Any]]]:
    """An invocation that has committed a part of a file, and waits for a lock.

    The test has locked a stored row of the second half of the file.
    """
    large = sample(SEVERAL, tmp_path)
    key = large.splitlines()[SEVERAL // 2 + 1].split(b",")[0].decode()
    environment.conn.execute("INSERT INTO salespro_appointment (id) VALUES (%s)", [key])
    environment.put("large.csv", large)
    with (
        ThreadPoolExecutor(1) as pool,
        environment.emulator(timeout_s=timeout_s) as running,
        environment.conn.transaction(),
    ):
        environment.conn.execute(
            "SELECT FROM salespro_appointment WHERE id = %s FOR UPDATE", [key]
        )
        invocation = pool.submit(running.invoke, sqs_delivery("large.csv"))
        wait_until(
            environment.conn,
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
            " AND transactionid = pg_current_xact_id_if_assigned()::xid",
        )
        yield running, invocation


def test_import_killed_at_its_timeout_is_completed_by_the_next_delivery(
    environment: Environment, tmp_path: Path
) -> None:
    """The runtime kills the process; the next one continues after the last commit."""
    with blocked_invocation(environment, tmp_path, timeout_s=20) as (
        running,
        invocation,
    ):
        os.kill(running.function_pid(), signal.SIGSTOP)
        response = invocation.result()
    assert "Task timed out after 20.00 seconds" in str(response)
    [interrupted] = recent_imports(environment.conn, "csv_appointments", limit=1)
    assert interrupted.status == "in_progress"
    assert 0 < interrupted.counts.processed < SEVERAL

    # As if two minutes had passed.
    environment.conn.execute(
        "UPDATE salespro_sync_history SET lease_expires_at = now()"
    )
    _assert_finished_by(environment, attempts=2)


def test_import_without_time_stops_and_is_completed_by_the_next_delivery(
    environment: Environment, tmp_path: Path
) -> None:
    """It stops before the timeout and frees its lease, so there is no wait."""
    with blocked_invocation(environment, tmp_path, timeout_s=16) as (
        running,
        invocation,
    ):
        response = invocation.result()
    assert len(response["batchItemFailures"]) == 1
    assert "timed out" not in running.output
    [line] = log_lines(running)
    assert line["message"] == "import interrupted"
    assert 0 < line["records_processed"] < SEVERAL

    _assert_finished_by(environment, attempts=2)


def _assert_finished_by(environment: Environment, *, attempts: int) -> None:
    """Deliver the message again: the import continues, and counts each row once."""
    with environment.emulator() as running:
        response = running.invoke(sqs_delivery("large.csv"))
    assert response == {"batchItemFailures": []}
    [line] = log_lines(running)
    assert line["attempts"] == attempts
    [result] = recent_imports(environment.conn, "csv_appointments", limit=1)
    assert result.status == "completed"
    assert result.counts == Counts(created=SEVERAL - 1, updated=1)
    assert (
        number(environment.conn, "SELECT count(*) FROM salespro_appointment") == SEVERAL
    )
