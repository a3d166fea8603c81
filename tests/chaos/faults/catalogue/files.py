"""Files that are not exports, or are incomplete."""

from __future__ import annotations

import gzip

from tests.chaos.faults.catalogue.refused_rows import long_text
from tests.chaos.faults.fault import Fault, FaultCase, Recovery, UploadFile
from tests.chaos.faults.standard_upload import STANDARD_ROWS, no_injection
from tests.support.builders import CANARY, csv_bytes
from tests.support.world.uploads import TrackedUpload, cells
from tests.support.world.world import World

FILE_FAILS = "the history has the reason; the message is acknowledged"
CSV = csv_bytes(*(cells(row, of_users=False) for row in STANDARD_ROWS))


def refused_file(data: bytes) -> UploadFile:
    """Return an upload of these bytes, which the importer must refuse."""

    def upload_file(world: World) -> TrackedUpload:
        is_gzip = data.startswith(b"\x1f\x8b")
        upload = world.upload_bytes(
            data, STANDARD_ROWS if is_gzip else [], "SalesPro.csv"
        )
        upload.is_refused = True
        return upload

    return upload_file


def upload_truncated_gzip(world: World) -> TrackedUpload:
    """Upload a truncated gzip file, larger than what the importer reads ahead."""
    rows = [cells(row, of_users=False) for row in STANDARD_ROWS]
    for i, row in enumerate(rows[3::4]):  # the rows that are not stored yet
        row["resultFullString"] = long_text(i, 160_000)
    whole = gzip.compress(csv_bytes(*rows))
    upload = world.upload_bytes(
        whole[: len(whole) * 3 // 4], STANDARD_ROWS, "long.csv.gz"
    )
    upload.is_refused = True
    return upload


def cases_of_refused_files(**files: bytes) -> tuple[FaultCase, ...]:
    """Return a case for each file; its name is the keyword with spaces."""
    return tuple(
        FaultCase(
            name=name.replace("_", " "),
            inject=no_injection,
            upload_file=refused_file(data),
        )
        for name, data in files.items()
    )


FAULTS = (
    Fault(
        name="file in another format",
        injection="the object is empty, a zip archive, UTF-16 or HTML",
        reaction=FILE_FAILS,
        recovery=Recovery.FILE_REFUSED,
        error_patterns=(
            "(The file (is|holds only)|This is) .*(xport|save|open|download)",
        ),
        cases=cases_of_refused_files(
            empty=b"",
            blank_lines=b"\n" * 9,
            zip=b"PK\x03\x04" + CSV,
            UTF_16=CSV.decode().encode("utf-16"),
            HTML=b"<html>" + CSV,
        ),
    ),
    Fault(
        name="file with an unknown header",
        injection="its header has no known label, has one twice, or has an unclosed quote",
        reaction=FILE_FAILS,
        recovery=Recovery.FILE_REFUSED,
        error_patterns=("header|label",),
        cases=cases_of_refused_files(
            another_header=f"Invoice,Customer\n1,{CANARY}\n".encode(),
            no_header=CSV.split(b"\n", 1)[1],
            repeated_label=b"_id,_id,saleAmount\n1,2,3\n",
            unclosed_quote=b'_id,"saleAmount\n' + CSV,
        ),
    ),
    Fault(
        name="broken gzip file",
        injection="the file is truncated, or its checksum is wrong",
        reaction=FILE_FAILS,
        recovery=Recovery.FILE_REFUSED,
        error_patterns=(
            "The gzip file is broken or cut off; compress and upload it again",
        ),
        cases=(
            *cases_of_refused_files(
                truncated=gzip.compress(CSV)[:-20],
                wrong_checksum=gzip.compress(CSV)[:-8] + b"\0" * 8,
            ),
            FaultCase(
                name="truncated after some chunks",
                inject=no_injection,
                upload_file=upload_truncated_gzip,
            ),
        ),
    ),
)
