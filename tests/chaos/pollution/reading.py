"""Reads a polluted file with the importer's reader, and compares it with what it means."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from salespro_core.errors import InputError
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Column
from salespro_core.model.rejects import Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.chaos.pollution.sheets import CANARY, Sheet, Value, Values

# A shorter error cannot name a place, a cause and a fix.
LEAST_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class PollutedFile:
    """A file and what may become of it.

    Attributes:
        name: what the pollution is, and where.
        sound: key -> what a row means that must be stored.
        polluted: key -> what a row means that must be rejected, or stored as exactly this.
        may_be_refused: whether the file may be refused as a whole.
        must_be_rejected: whether a polluted row means nothing that could be stored.
        polluted_text: text of polluted rows, which must be kept if they are rejected.
    """

    name: str
    body: bytes
    sound: Mapping[str, Values]
    polluted: Mapping[str, Values] = field(default_factory=dict)
    may_be_refused: bool = False
    must_be_rejected: bool = False
    polluted_text: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the importer made of a file."""

    rows: int
    records: tuple[tuple[str, Values, frozenset[str]], ...]
    rejects: tuple[Reject, ...]
    error: str | None


def file_of(
    sheet: Sheet,
    name: str,
    text: str,
    polluted: Collection[int] = (),
    **details: object,
) -> PollutedFile:
    """A polluted file of all rows of a sheet.

    Args:
        sheet: its rows.
        name: of the pollution.
        text: the file.
        polluted: indexes of the polluted rows.
        details: other attributes of `PollutedFile`.
    """
    rows = {i: (sheet.key(i), sheet.values(i)) for i in range(len(sheet.rows))}
    return PollutedFile(
        f"{sheet.name}: {name}",
        text.encode(errors="surrogateescape"),
        dict(row for i, row in rows.items() if i not in polluted),
        dict(row for i, row in rows.items() if i in polluted),
        **details,  # type: ignore[arg-type]
    )


def read(body: bytes, *, is_lenient: bool) -> Reading:
    """Read a file to its end, or to the error that refuses it."""
    records: list[tuple[str, Values, frozenset[str]]] = []
    rejects: list[Reject] = []
    rows = 0
    error = None
    with Rejects() as kept:
        try:
            reader = ExportReader(
                io.BytesIO(body), (APPOINTMENTS, USERS), kept, is_lenient=is_lenient
            )
            columns = reader.layout.columns
            while part := reader.read_rows(7):
                rows += part.rows
                rejects += part.rejects
                records += (_values(columns, record) for record in part.records())
        except InputError as refusal:
            error = str(refusal)
    return Reading(rows, tuple(records), tuple(rejects), error)


def _values(
    columns: tuple[Column, ...], record: Record
) -> tuple[str, Values, frozenset[str]]:
    pairs = dict(zip(columns, record.values, strict=True))
    values = {column.name: _value(column, text) for column, text in pairs.items()}
    omitted = frozenset(columns[index].name for index in record.omitted)
    return str(record.values[0]), values, omitted


def _value(column: Column, text: str | None) -> Value:
    if text is None:
        return None
    match column.column_type.sql:
        case "boolean":
            return {"t": True, "f": False}[text]
        case "numeric":
            return Decimal(text)
        case "date":
            return date.fromisoformat(text)
        case "timestamptz":
            return datetime.fromisoformat(text).astimezone(UTC)
        case _:
            return text


def mistakes(file: PollutedFile, *, is_lenient: bool) -> Iterator[str]:
    """What is wrong with the reading of this file; nothing if all is right."""
    reading = read(file.body, is_lenient=is_lenient)
    yield from _mistakes_of_error(file, reading.error)
    if reading.rows != len(reading.records) + len(reading.rejects):
        yield f"{reading.rows} rows are not the sum of records and rejects"
    for key, values, omitted in reading.records:
        yield from _mistakes_of_record(file, key, values, omitted)
    if reading.error is None:
        yield from _lost(file, reading)


def _mistakes_of_error(file: PollutedFile, error: str | None) -> Iterator[str]:
    if error is None:
        return
    if CANARY in error:
        yield "the error contains personal data"
    if len(error) < LEAST_CHARACTERS:
        yield f"the error says too little: {error}"
    if not file.may_be_refused:
        yield f"refused: {error}"


def _mistakes_of_record(
    file: PollutedFile, key: str, values: Values, omitted: frozenset[str]
) -> Iterator[str]:
    meant = file.sound.get(key) or file.polluted.get(key)
    if meant is None:
        yield f"a row {key!r} that is in no file is stored: {values}"
        return
    if key in file.polluted and file.must_be_rejected and not omitted:
        yield f"{key} is stored, and must be rejected: {values}"
    if key in file.sound and omitted:
        yield f"{key}: {sorted(omitted)} left out"
    wrong = {
        name: value
        for name, value in values.items()
        if name not in omitted and value != meant.get(name, value)
    }
    if wrong:
        yield f"{key} has wrong values: {wrong}"
    if missing := meant.keys() - values.keys():
        yield f"{key} has no value for {sorted(missing)}"


def _lost(file: PollutedFile, reading: Reading) -> Iterator[str]:
    stored = {key for key, _, _ in reading.records}
    if lost := file.sound.keys() - stored:
        yield f"lost: {sorted(lost)}"
    unsaved = file.polluted.keys() - stored
    if unsaved and not reading.rejects:
        yield f"neither stored nor rejected: {sorted(unsaved)}"
    # All the text of rejected rows is kept for correction.
    kept = "\n".join(cell for reject in reading.rejects for cell in reject.cells)
    words = re.findall(r"\w+", file.polluted_text)
    if unsaved == file.polluted.keys() and (
        missing := [word for word in words if word not in kept]
    ):
        yield f"words of the rejected rows are lost: {missing[:5]}"
