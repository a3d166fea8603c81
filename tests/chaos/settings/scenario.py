"""The imports, dry runs and undos that are repeated in each environment, and their results."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.importer.options import Options
from salespro_core.importer.run import import_upload
from salespro_core.importer.undo import undo_import
from salespro_core.model.outcome import Outcome
from salespro_core.model.upload import Upload
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.sync_history.queries import import_states
from tests.chaos.settings import files
from tests.support.builders import MORNING, CsvRow, csv_bytes, upload

# Several commits, and several statements in each.
OPTIONS = Options(checkpoint_rows=14, batch_size=8)
LENIENT = replace(OPTIONS, is_lenient=True)
# The time of an attempt; retries of an error of Postgres end within it.
ATTEMPT_S = 4.0


@dataclass(frozen=True, slots=True)
class Step:
    """An import, a dry run or an undo of one file.

    Attributes:
        name: of the step, for messages.
        upload: identifies the file; a redelivery has the same one.
        is_undo: of the import of this upload.
    """

    name: str
    upload: Upload
    data: bytes
    is_dry_run: bool = False
    options: Options = OPTIONS
    is_undo: bool = False


class StepResult(NamedTuple):
    """What became of a step: an outcome, or the error that ended it."""

    step: Step
    outcome: Outcome | None
    error: BaseException | None = None


def _steps() -> Iterator[Step]:
    for kind, first, edited, lenient, triggered in (
        (
            "appointments",
            files.NEW_APPOINTMENTS,
            files.EDITED_APPOINTMENTS,
            files.LENIENT_APPOINTMENTS,
            files.TRIGGERED_APPOINTMENTS,
        ),
        (
            "users",
            files.NEW_USERS,
            files.EDITED_USERS,
            files.LENIENT_USERS,
            files.TRIGGERED_USERS,
        ),
    ):

        def step(
            name: str,
            rows: list[CsvRow],
            hour: int,
            *,
            is_dry_run: bool = False,
            options: Options = OPTIONS,
            kind: str = kind,
        ) -> Step:
            uploaded = upload(
                object_key=f"{kind}.csv",
                version=f"v{hour}",
                uploaded_at=MORNING + timedelta(hours=hour),
            )
            return Step(
                f"{name} of {kind}", uploaded, csv_bytes(*rows), is_dry_run, options
            )

        yield step("dry run of new rows", first, 1, is_dry_run=True)
        yield step("import of new rows", first, 1)
        yield step("redelivery", first, 1)
        yield step("repeat", first, 2)
        yield step("dry run of edited rows", edited, 3, is_dry_run=True)
        yield step("import of edited rows", edited, 3)
        if kind == "users":
            yield step("older file", files.OLDER_USERS, -1)
        yield step("lenient dry run", lenient, 4, is_dry_run=True, options=LENIENT)
        yield step("lenient import", lenient, 4, options=LENIENT)
        yield step("import that a trigger refuses in part", triggered, 5)
        # The second one also takes back rows that the first one has restored.
        for name, rows, hour in (
            ("lenient import", lenient, 4),
            ("import of edited rows", edited, 3),
        ):
            yield replace(step(f"undo of the {name}", rows, hour), is_undo=True)


ALL_STEPS = tuple(_steps())
# Fewer dry runs and refused rows, which take longer than imports.
STEPS = tuple(
    step
    for step in ALL_STEPS
    if step.name
    not in (
        "dry run of new rows of appointments",
        "lenient dry run of appointments",
        "dry run of new rows of users",
        "lenient dry run of users",
        "import that a trigger refuses in part of users",
    )
)


def run_steps(
    open_connection: Callable[[], Connection], steps: Sequence[Step] = STEPS
) -> list[StepResult]:
    """Run the steps on one connection, up to the first import that fails.

    A failed dry run changes nothing, so the steps after it are run.

    Args:
        open_connection: also called after the connection broke, as in the function.
        steps: in this order.
    """
    results: list[StepResult] = []
    with ExitStack() as connections:

        def reconnect() -> Connection:
            return connections.enter_context(closing(open_connection()))

        conn: Connection | None = None
        for step in steps:
            try:
                if conn is None or conn.closed:
                    conn = reconnect()
                outcome = _run_step(conn, step, reconnect)
            except Exception as error:  # noqa: BLE001 -- the caller judges it
                results.append(StepResult(step, None, error))
                if not step.is_dry_run:
                    break
            else:
                results.append(StepResult(step, outcome))
    return results


def _run_step(
    conn: Connection, step: Step, reconnect: Callable[[], Connection]
) -> Outcome:
    stop_at = time.monotonic() + ATTEMPT_S
    callbacks = ImportCallbacks(
        remaining_s=lambda: stop_at - time.monotonic(), reconnect=reconnect
    )
    if step.is_undo:
        return _run_undo(conn, step, callbacks)
    run = dry_run_upload if step.is_dry_run else import_upload
    outcome = run(
        conn,
        step.upload,
        io.BytesIO(step.data),
        options=step.options,
        callbacks=callbacks,
    )
    # A dry run lists its changes in the order of the key's collation.
    changes = sorted(outcome.changes, key=lambda change: (change.is_new, change.key))
    return replace(outcome, seconds=0.0, changes=tuple(changes))


def _run_undo(conn: Connection, step: Step, callbacks: ImportCallbacks) -> Outcome:
    """Undo the import of a step's upload; the outcome names no number of an import."""
    of = step.upload
    identity = (of.object_key, str(of.version))
    with store_errors("looking for the import"):
        states = import_states(conn, str(of.bucket), [identity])
    outcome = undo_import(
        conn, states[identity].import_id, options=step.options, callbacks=callbacks
    )
    left = tuple(replace(row, import_id=None) for row in outcome.left)
    return replace(outcome, seconds=0.0, upload=of, undoes=0, left=left)
