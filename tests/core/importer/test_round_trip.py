"""A rejects file is corrected and imported, and then nothing is rejected any more."""

from __future__ import annotations

from psycopg import Connection

from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.model.counts import Counts
from salespro_core.model.outcome import Outcome
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes
from tests.support.import_runs import new_version, run


def test_correcting_the_cells_imports_exactly_the_rows_that_were_rejected(
    conn: Connection,
) -> None:
    """Formulas, quotes and line breaks in the cells that were right included."""
    right = [
        appointment("A", resultFullString='=1+1,\r\n"x"', customer_nameLast="'@x"),
        appointment("B", saleAmount="-5.00", customer_nameFirst="+1 555"),
        appointment("C", customer_estimateName="\ttab"),
    ]
    wrong = [
        right[0] | {"saleAmount": "=12"},
        right[1] | {"_created_at": "2025-06-31T00:00:00.000Z"},
        right[2] | {"isSale": "-"},
    ]
    files: list[bytes] = []

    def publish(_: Outcome, rejects: Rejects) -> None:
        file = rejects.open()
        files.append(file.read() if file else b"")

    callbacks = ImportCallbacks(publish=publish)
    others = [appointment("D"), appointment("E")]
    first = run(conn, csv_bytes(*wrong, *others), callbacks=callbacks)
    table = [
        line.replace(",'=12", ",12.50")
        .replace("2025-06-31", "2025-06-06")
        .replace("00:00:00.000Z", "00:16:45.538Z")
        .replace(",'-,", ",TRUE,")
        for line in files[0].decode().splitlines(keepends=True)
    ]
    second = run(conn, "".join(table).encode(), new_version(), callbacks=callbacks)

    assert first.counts == Counts(created=2, rejected=3)
    assert second.counts == Counts(created=3)
    assert files[1] == b""
    assert run(conn, csv_bytes(*right, *others)).counts == Counts(unchanged=5)
