"""A rejects file is corrected and imported; then no row is rejected any more."""

from __future__ import annotations

from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes
from tests.support.import_runs import new_version, run


def test_corrected_rejects_file_imports_exactly_the_rejected_rows(
    conn: Connection,
) -> None:
    """Including formulas, quotes and line breaks in the valid cells."""
    valid = [
        appointment("A", resultFullString='=1+1,\r\n"x"', customer_nameLast="'@x"),
        appointment("B", saleAmount="-5.00", customer_nameFirst="+1 555"),
        appointment("C", customer_estimateName="\ttab"),
    ]
    invalid = [
        valid[0] | {"saleAmount": "=12"},
        valid[1] | {"_created_at": "2025-06-31T00:00:00.000Z"},
        valid[2] | {"isSale": "-"},
    ]
    files: list[bytes] = []

    def publish(_: Outcome, rejects: Rejects) -> None:
        file = rejects.open()
        files.append(file.read() if file else b"")

    callbacks = ImportCallbacks(publish=publish)
    other_rows = [appointment("D"), appointment("E")]
    first = run(conn, csv_bytes(*invalid, *other_rows), callbacks=callbacks)
    corrected = [
        line.replace(",'=12", ",12.50")
        .replace("2025-06-31", "2025-06-06")
        .replace("00:00:00.000Z", "00:16:45.538Z")
        .replace(",'-,", ",TRUE,")
        for line in files[0].decode().splitlines(keepends=True)
    ]
    second = run(conn, "".join(corrected).encode(), new_version(), callbacks=callbacks)

    assert first.counts == Counts(created=2, rejected=3)
    assert second.counts == Counts(created=3)
    assert files[1] == b""
    assert run(conn, csv_bytes(*valid, *other_rows)).counts == Counts(unchanged=5)
