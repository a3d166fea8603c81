"""Injects each fault at each of its moments and checks the promises.

docs/reliability.md explains the promises and shows the results.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from tests.chaos.faults.catalogue import FAULTS
from tests.chaos.faults.fault import Fault, FaultCase, FaultContext, Recovery
from tests.chaos.faults.standard_upload import prepare
from tests.support.world.model import Model
from tests.support.world.uploads import CHECKPOINT_ROWS

pytestmark = pytest.mark.faults

CASES = [
    pytest.param(fault, case, id=f"{fault.name}, {case.name}")
    for fault in FAULTS
    for case in fault.cases
]


@pytest.mark.parametrize(("fault", "case"), CASES)
def test_fault_loses_no_row_and_counts_none_twice(
    fault: Fault,
    case: FaultCase,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    is_private = fault.needs_private_server
    server = request.getfixturevalue("private_server") if is_private else None
    world = request.getfixturevalue(
        "world_on_private_server" if is_private else "world"
    )
    context = prepare(world, fault, case, monkeypatch, server)
    request.addfinalizer(context.at_test_end.close)
    upload = context.upload
    record_property("faults", fault.name)
    record_property("postgres", str(world.conn.info.server_version // 10_000))

    with case.inject(context):
        for number in range(2 if fault.recovery is Recovery.AFTER_REPAIR else 1):
            if number and not fault.is_reachable:
                # The first attempt could not release its lease; it expires, unless the
                # history itself is missing.
                with suppress(psycopg.errors.UndefinedTable):
                    world.simulate_redelivery_delay()
            world.invoke(upload, seconds=case.seconds)
            if fault.is_reachable:
                reconnect_private_server(context)
                world.check_no_leftovers()
    reconnect_private_server(context)
    world.update_model(upload)
    world.check_promises()
    RECOVERY_CHECKS[fault.recovery](context, fault)

    if not upload.is_acknowledged:
        if not fault.is_reachable:
            world.simulate_redelivery_delay()
        world.deliver_until_done(upload)
        assert upload.deliveries == (fault.deliveries or upload.deliveries)
    world.check_all_done()
    assert world.model.table == table_after_clean_imports(context)


def check_recovers_within_attempt(context: FaultContext, _: Fault) -> None:
    assert context.strikes, "the fault never struck"
    assert context.world.logged_errors() == []
    assert context.upload.is_acknowledged
    assert attempts(context) == 1


def check_recovers_with_next_delivery(context: FaultContext, fault: Fault) -> None:
    assert not context.upload.is_acknowledged
    lines = interruptions(context)
    assert lines
    for line in lines:
        check_log_line(fault, line)
    check_history_error(context, fault)


def check_fails_until_repair(context: FaultContext, fault: Fault) -> None:
    """Both deliveries before the repair log the same error."""
    assert not context.upload.is_acknowledged
    first, second = interruptions(context)
    check_log_line(fault, first)
    check_log_line(fault, second)
    check_history_error(context, fault)


def check_rejects_row(context: FaultContext, _: Fault) -> None:
    """The comparison with the model shows that no other row is rejected."""
    assert context.world.logged_errors() == []
    assert context.upload.is_acknowledged
    assert context.upload.counts.rejected > 1, "the fault never struck"
    assert attempts(context) == 1


def check_refuses_file(context: FaultContext, fault: Fault) -> None:
    """A file that was never read has an error in the log, but no history row."""
    assert context.upload.is_acknowledged
    error = context.world.logged_errors()[-1]
    assert re.search(fault.error_patterns[0], error)
    if not context.upload.is_gone:
        row = context.world.history_row(context.upload)
        assert row
        assert (row["status"], row["error_message"]) == ("failed", error)


def reconnect_private_server(context: FaultContext) -> None:
    """Wait until the private server is up, and reconnect the test to it."""
    if context.server:
        context.server.ensure_up()
        context.world.reconnect()


RECOVERY_CHECKS: dict[Recovery, Callable[[FaultContext, Fault], None]] = {
    Recovery.WITHIN_ATTEMPT: check_recovers_within_attempt,
    Recovery.NEXT_DELIVERY: check_recovers_with_next_delivery,
    Recovery.AFTER_REPAIR: check_fails_until_repair,
    Recovery.ROW_REJECTED: check_rejects_row,
    Recovery.FILE_REFUSED: check_refuses_file,
}


def attempts(context: FaultContext) -> int:
    row = context.world.history_row(context.upload)
    return row["attempts"] if row else 0


def interruptions(context: FaultContext) -> list[dict[str, object]]:
    messages = ("import interrupted", "nothing imported")
    lines = context.world.log_lines()
    return [line for line in lines if line.get("message") in messages]


def check_log_line(fault: Fault, line: dict[str, object]) -> None:
    """Check the type and the text of a logged error."""
    assert line["error_type"] == fault.error_type
    for pattern in fault.error_patterns:
        assert re.search(pattern, str(line["error"]))


def check_history_error(context: FaultContext, fault: Fault) -> None:
    """Check that the history has the logged error, if the attempt could write it."""
    row = context.world.history_row(context.upload)
    if row is None or not fault.is_reachable:
        return
    if fault.error_type == "OutOfTime":
        assert (row["status"], row["error_message"]) == ("in_progress", None)
    else:
        assert row["status"] == "failed"
        assert row["error_message"] == context.world.logged_errors()[-1]


def table_after_clean_imports(context: FaultContext) -> dict[str, object]:
    """Return the table after the same uploads, imported in order without a fault."""
    model = Model()
    for upload in context.world.uploads:
        if upload.is_gone:
            continue
        rows = [
            row._replace(values=None)
            if row.key in context.world.refused_keys and upload is context.upload
            else row
            for row in upload.rows
        ]
        if upload.is_refused:
            rows = rows[: upload.counts.processed]
        for start in range(0, len(rows), CHECKPOINT_ROWS):
            model.commit(rows[start : start + CHECKPOINT_ROWS])
    return dict(model.table)
