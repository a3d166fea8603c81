"""The first rejected rows of an import, read from the rejects.csv of its report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import click

from salespro_cli.inputs.sources import open_source
from salespro_cli.reports.location import report_file
from salespro_core.csv_reader.labels import REJECT_LABELS
from salespro_core.csv_reader.row_blocks import MAX_CELL_CHARACTERS
from salespro_core.errors import SalesProError


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that was not imported, without its cells.

    Attributes:
        line: the line of the file where the row starts.
        reason: the labels of its bad cells, each with the problem.
    """

    line: int
    reason: str


class RejectsUnreadable(Exception):
    """rejects.csv cannot be read from this machine; the text says why."""


def first_rejects(report_location: str, count: int) -> list[RejectedRow]:
    """The first rows of rejects.csv; the rest is not read.

    Args:
        report_location: from the history.
        count: the maximum number of rows.

    Raises:
        RejectsUnreadable: the file is missing, not readable, or damaged.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    with (
        _errors_mapped(),
        open_source(report_file(report_location, "rejects.csv")) as (_, stream),
    ):
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        try:
            return list(islice(_rows(csv.reader(text)), count))
        finally:
            text.detach()


def _rows(rows: Iterator[list[str]]) -> Iterator[RejectedRow]:
    if tuple(next(rows, ())[: len(REJECT_LABELS)]) != REJECT_LABELS:
        raise RejectsUnreadable("the file does not contain rejected rows")
    for line, _, reason, *_ in rows:
        yield RejectedRow(line=int(line), reason=reason)


@contextmanager
def _errors_mapped() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        raise RejectsUnreadable(error.format_message()) from None
    except (SalesProError, OSError) as error:
        raise RejectsUnreadable(str(error)) from None
    except (csv.Error, ValueError):
        raise RejectsUnreadable("the file was edited, or is incomplete") from None
