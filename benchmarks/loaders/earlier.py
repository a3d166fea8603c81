"""The earlier system's algorithm on Django, written from its description.

It read the whole file, loaded every stored row by id, and wrote `bulk_create` with
`ignore_conflicts` and `bulk_update` in batches of 500, each in a transaction.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction  # type: ignore[import-untyped]

from benchmarks.loaders import COLUMNS, Job
from tests.support.earlier_system import Variant, configure, django_models

BATCH_SIZE = 500


def ready(job: Job) -> Callable[[], None]:
    """Set up Django for the existing tables."""
    configure(job.conninfo)
    appointment = django_models(Variant()).appointment
    return lambda: import_file(appointment, Path(job.path))


def import_file(model: Any, path: Path) -> None:  # noqa: ANN401 -- Django's
    """Import a file with the algorithm of the earlier system."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            {
                name: _value(name, cell)
                for name, cell in zip(COLUMNS, cells, strict=True)
            }
            for cells in list(csv.reader(file))[1:]
        ]
    stored = model.objects.in_bulk([values["id"] for values in rows])
    created, updated = [], []
    for values in rows:
        if (known := stored.get(values["id"])) is None:
            created.append(model(**values, imported_at=datetime.now(UTC)))
        else:
            for name, value in values.items():
                setattr(known, name, value)
            updated.append(known)
    for batch in _batches(created):
        with transaction.atomic():
            model.objects.bulk_create(batch, ignore_conflicts=True)
    for batch in _batches(updated):
        with transaction.atomic():
            model.objects.bulk_update(batch, COLUMNS[1:])


def _batches(objects: Sequence[Any]) -> list[Sequence[Any]]:
    starts = range(0, len(objects), BATCH_SIZE)
    return [objects[start : start + BATCH_SIZE] for start in starts]


def _value(name: str, cell: str) -> Any:  # noqa: ANN401 -- any type of a Django field
    if name == "is_sale":
        return cell.upper() == "TRUE"
    if not cell:
        return None
    if name in ("created_at", "updated_at"):
        return datetime.fromisoformat(cell)
    return Decimal(cell) if name == "sale_amount" else cell
