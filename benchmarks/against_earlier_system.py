"""This importer against the earlier system's algorithm, side by side in one run.

    make bench

Both get the same file, the same table and the same embedded Postgres; each case is the
median of three.  The earlier system read the whole file, loaded every stored row by id,
and wrote `bulk_create(ignore_conflicts)` and `bulk_update` in batches of 500, each in a
transaction, on Django.
"""

from __future__ import annotations

import csv
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from earlier_system import Models, Variant, earlier_system

from salespro_cli import embedded
from salespro_cli.sample import write_sample
from salespro_core import database
from salespro_core.exports import APPOINTMENTS
from salespro_core.importer import import_upload
from salespro_core.uploads import Upload

ROWS = int(os.environ.get("BENCH_ROWS", "20000"))
RUNS = 3
BATCH_SIZE = 500


def earlier_import(models: Models, path: Path) -> None:
    """Import as the earlier system did."""
    from django.db import transaction  # noqa: PLC0415 -- after settings.configure()

    manager = models.appointment.objects
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    stored = manager.in_bulk([row["_id"] for row in rows])
    created, updated = [], []
    for row in rows:
        values = {
            column.name: _value(column.name, row[column.label.split(" | ")[0]])
            for column in APPOINTMENTS.columns
        }
        if (known := stored.get(row["_id"])) is None:
            created.append(models.appointment(**values, imported_at=datetime.now(UTC)))
        else:
            for name, value in values.items():
                setattr(known, name, value)
            updated.append(known)
    names = [c.name for c in APPOINTMENTS.columns if c.name != APPOINTMENTS.key]
    for start in range(0, len(created), BATCH_SIZE):
        with transaction.atomic():
            manager.bulk_create(
                created[start : start + BATCH_SIZE], ignore_conflicts=True
            )
    for start in range(0, len(updated), BATCH_SIZE):
        with transaction.atomic():
            manager.bulk_update(updated[start : start + BATCH_SIZE], names)


def _value(name: str, cell: str) -> Any:  # noqa: ANN401 -- what Django takes
    if name == "is_sale":
        return cell.upper() == "TRUE"
    if not cell:
        return None
    if name in ("created_at", "updated_at"):
        return datetime.fromisoformat(cell)
    return Decimal(cell) if name == "sale_amount" else cell


def this_import(url: str, path: Path) -> None:
    """Import as the product does: validated, counted, with its history."""
    upload = Upload(
        bucket=None,
        object_key=path.name,
        version=None,
        uploaded_at=datetime.now(UTC),
    )
    with database.connect(url) as conn, path.open("rb") as stream:
        outcome = import_upload(conn, upload, stream)
    if outcome.counts.processed != ROWS:
        sys.exit(f"not all rows were imported: {outcome}")


def seconds(run: Callable[[], None]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.csv"
        write_sample("appointments", ROWS, 1, path)
        data = Path(folder) / "postgres"
        took: dict[tuple[str, str], list[float]] = {}
        with (
            embedded.running(data, keep=False) as url,
            earlier_system(url, Variant()) as models,
            database.connect(url) as conn,
        ):
            database.migrate(conn)
            ways: dict[str, Callable[[], None]] = {
                "this importer": lambda: this_import(url, path),
                "the earlier system": lambda: earlier_import(models, path),
            }
            for _ in range(RUNS):
                for way, run in ways.items():
                    conn.execute("TRUNCATE salespro_appointment")
                    took.setdefault(("new", way), []).append(seconds(run))
                    conn.execute("VACUUM ANALYZE salespro_appointment")
                    took.setdefault(("unchanged", way), []).append(seconds(run))
    table = Table(title=f"{ROWS:,} appointments, median of {RUNS}, {_machine()}")
    for name in ("case", "way", "seconds", "rows/s", "times faster"):
        table.add_column(name, justify="left" if name in ("case", "way") else "right")
    for (case, way), times in sorted(took.items()):
        median = statistics.median(times)
        theirs = statistics.median(took[(case, "the earlier system")])
        table.add_row(
            case,
            way,
            f"{median:.2f}",
            f"{ROWS / median:,.0f}",
            f"{theirs / median:.1f}",
        )
    Console().print(table)


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
