"""A CSV file with cells that are sensitive to cuts, and the offsets of such cuts."""

from __future__ import annotations

import io
from typing import BinaryIO

from mypy_boto3_s3 import S3Client

from handler.aws.s3_object import ObjectStream
from handler.events import Notification
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.model.rejects import Record, Reject
from salespro_core.records.file_reader import ExportReader
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, csv_bytes, items_of

KEY = "SalesPro ümläut+1.csv"
CSV = csv_bytes(
    *(
        appointment(
            f"A-{i}",
            customer_nameFirst=("Zoë", "Søren", "李小龍", "Ægir 🏡")[i % 4],
            customer_nameLast=f'Ó "Quote" Müller,\r\nc/o 🪟 & Sons {"é" * (i % 5)}',
            saleAmount="no number" if i % 7 == 3 else f"{i}.50",
        )
        for i in range(40)
    )
)
# Offsets inside a character, between CR and LF, and inside quotes: a cell with a line break
# is quoted, and only such a cell has a line break after a comma.
CUT_OFFSETS = [
    offset
    for offset in range(1, len(CSV))
    if CSV[offset] & 0xC0 == 0x80
    or CSV[offset - 1 : offset + 1] == b"\r\n"
    or b",\r\nc/o".startswith(CSV[offset - 3 : offset])
]


def read_all(s3: S3Client, notification: Notification, read_bytes: int = 8192) -> bytes:
    """Read an object through a buffer of `read_bytes`."""
    with io.BufferedReader(ObjectStream(s3, notification), read_bytes) as reader:
        return b"".join(iter(lambda: reader.read1(read_bytes), b""))


def parse(stream: BinaryIO) -> list[Record | Reject]:
    """The records and rejects that the importer reads from a stream."""
    with Rejects() as rejects:
        return items_of(ExportReader(stream, [APPOINTMENTS], rejects, is_lenient=False))
