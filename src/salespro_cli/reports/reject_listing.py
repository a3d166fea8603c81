"""The first rejected rows of an import, read from beside its report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import click

from salespro_cli.inputs.sources import opened
from salespro_core.csv_reader.header import REJECT_LABELS
from salespro_core.csv_reader.row_blocks import CELL_CHARACTERS
from salespro_core.errors import SalesProError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that could not be imported, without its cells.

    Attributes:
        line: of the file.
        reason: labels and what is wrong with their cells.
    """

    line: int
    reason: str


class Unreadable(Exception):
    """The rejects cannot be read from here; the text says why."""


def rejects_file(report_location: str) -> str:
    """Where the rejects of a report are: a path, or an `s3://` URI."""
    return f"{report_location.rstrip('/')}/rejects.csv"


def first_rejects(report_location: str, count: int) -> list[Rejected]:
    """The first rows of rejects.csv; no more of it than that is read.

    Args:
        report_location: as the history has it; a path is taken from the folder we are in.
        count: how many, at most.

    Raises:
        Unreadable: it is not there, or may not be read.
    """
    csv.field_size_limit(CELL_CHARACTERS)
    with _as_unreadable(), opened(rejects_file(report_location)) as (_, stream):
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        try:
            return list(islice(_rows(csv.reader(text)), count))
        finally:
            text.detach()


def _rows(rows: Iterator[list[str]]) -> Iterator[Rejected]:
    if tuple(next(rows, ())[: len(REJECT_LABELS)]) != REJECT_LABELS:
        raise Unreadable("it is no file of rejected rows")
    for line, _, reason, *_ in rows:
        yield Rejected(line=int(line), reason=reason)


@contextmanager
def _as_unreadable() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        raise Unreadable(error.format_message()) from None
    except (SalesProError, OSError) as error:
        raise Unreadable(str(error)) from None
    except (csv.Error, ValueError):
        raise Unreadable("it was edited, or is cut off") from None
