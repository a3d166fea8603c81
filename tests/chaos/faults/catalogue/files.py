"""Files that are no export, or not whole."""

from __future__ import annotations

import gzip

from tests.chaos.faults.catalogue.refused_rows import long_text
from tests.chaos.faults.fault import Fault, FaultCase, Recovery, UploadFile
from tests.chaos.faults.standard_upload import STANDARD_ROWS, no_injection
from tests.support.builders import CANARY, csv_bytes
from tests.support.world.uploads import TrackedUpload, cells
from tests.support.world.world import World

FILE_FAILS = "the history says `failed` and why; the message is done with"
CSV = csv_bytes(*(cells(row, of_users=False) for row in STANDARD_ROWS))


def refused_file(data: bytes) -> UploadFile:
    """A file of which nothing, or not all, can be imported."""

    def upload_file(world: World) -> TrackedUpload:
        is_gzip = data.startswith(b"\x1f\x8b")
        upload = world.upload_bytes(
            data, STANDARD_ROWS if is_gzip else [], "SalesPro.csv"
        )
        upload.is_refused = True
        return upload

    return upload_file


def upload_truncated_gzip(world: World) -> TrackedUpload:
    """A compressed file that ends in the middle, and is larger than what is read ahead."""
    rows = [cells(row, of_users=False) for row in STANDARD_ROWS]
    for i, row in enumerate(rows[3::4]):  # those that are not stored yet
        row["resultFullString"] = long_text(i, 160_000)
    whole = gzip.compress(csv_bytes(*rows))
    upload = world.upload_bytes(
        whole[: len(whole) * 3 // 4], STANDARD_ROWS, "long.csv.gz"
    )
    upload.is_refused = True
    return upload


def cases_of_refused_files(**files: bytes) -> tuple[FaultCase, ...]:
    """A run for each of these."""
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
        name="file that is no CSV",
        injection="other bytes are uploaded under that name",
        reaction=FILE_FAILS,
        recovery=Recovery.FILE_REFUSED,
        error_patterns=("The file (is|holds only) .*(xport|save|open|download)",),
        cases=cases_of_refused_files(
            empty=b"",
            blank_lines=b"\n" * 9,
            zip=b"PK\x03\x04" + CSV,
            UTF_16=CSV.decode().encode("utf-16"),
            HTML=b"<html>" + CSV,
        ),
    ),
    Fault(
        name="file of an unknown export",
        injection="its header has none of the labels, or one twice, or is no CSV",
        reaction=FILE_FAILS,
        recovery=Recovery.FILE_REFUSED,
        error_patterns=("header|label",),
        cases=cases_of_refused_files(
            another_header=f"Invoice,Customer\n1,{CANARY}\n".encode(),
            no_header=CSV.split(b"\n", 1)[1],
            a_label_twice=b"_id,_id,saleAmount\n1,2,3\n",
            an_open_quote=b'_id,"saleAmount\n' + CSV,
        ),
    ),
    Fault(
        name="file that is broken gzip",
        injection="it is cut off, or a byte of it is another",
        reaction=FILE_FAILS,
        recovery=Recovery.FILE_REFUSED,
        error_patterns=(
            "The gzip file is broken or cut off; compress and upload it again",
        ),
        cases=(
            *cases_of_refused_files(
                cut_off=gzip.compress(CSV)[:-20],
                another_checksum=gzip.compress(CSV)[:-8] + b"\0" * 8,
            ),
            FaultCase(
                name="cut off behind some spans",
                inject=no_injection,
                upload_file=upload_truncated_gzip,
            ),
        ),
    ),
)
