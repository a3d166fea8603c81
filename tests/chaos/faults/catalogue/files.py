"""Files that are no export, or not whole."""

from __future__ import annotations

import gzip

from tests.chaos.faults.catalogue.refused_rows import long_text
from tests.chaos.faults.fault import End, Fault, PutFile, Run
from tests.chaos.faults.scenes import ORDINARY, nothing
from tests.support.builders import csv_bytes
from tests.support.world.world import CANARY, Put, World, cells

WHAT = "the history says `failed` and why; the message is done with"
CSV = csv_bytes(*(cells(row, of_users=False) for row in ORDINARY))


def put_refused(data: bytes) -> PutFile:
    """A file of which nothing, or not all, can be imported."""

    def put_file(world: World) -> Put:
        is_gzip = data.startswith(b"\x1f\x8b")
        put = world.put_bytes(data, ORDINARY if is_gzip else [], "SalesPro.csv")
        put.is_refused = True
        return put

    return put_file


def put_cut_off(world: World) -> Put:
    """A compressed file that ends in the middle, and is larger than what is read ahead."""
    rows = [cells(row, of_users=False) for row in ORDINARY]
    for i, row in enumerate(rows[3::4]):  # those that are not stored yet
        row["resultFullString"] = long_text(i, 160_000)
    whole = gzip.compress(csv_bytes(*rows))
    put = world.put_bytes(whole[: len(whole) * 3 // 4], ORDINARY, "long.csv.gz")
    put.is_refused = True
    return put


def refused(**files: bytes) -> tuple[Run, ...]:
    """A run for each of these."""
    return tuple(
        Run(name=name.replace("_", " "), inject=nothing, put_file=put_refused(data))
        for name, data in files.items()
    )


FAULTS = (
    Fault(
        name="file that is no CSV",
        how="other bytes are uploaded under that name",
        what=WHAT,
        end=End.FILE_REFUSED,
        says=("The file (is|holds only) .*(xport|save|open|download)",),
        runs=refused(
            empty=b"",
            blank_lines=b"\n" * 9,
            zip=b"PK\x03\x04" + CSV,
            UTF_16=CSV.decode().encode("utf-16"),
            HTML=b"<html>" + CSV,
        ),
    ),
    Fault(
        name="file of an unknown export",
        how="its header has none of the labels, or one twice, or is no CSV",
        what=WHAT,
        end=End.FILE_REFUSED,
        says=("header|label",),
        runs=refused(
            another_header=f"Invoice,Customer\n1,{CANARY}\n".encode(),
            no_header=CSV.split(b"\n", 1)[1],
            a_label_twice=b"_id,_id,saleAmount\n1,2,3\n",
            an_open_quote=b'_id,"saleAmount\n' + CSV,
        ),
    ),
    Fault(
        name="file that is broken gzip",
        how="it is cut off, or a byte of it is another",
        what=WHAT,
        end=End.FILE_REFUSED,
        says=("The gzip file is broken or cut off; compress and upload it again",),
        runs=(
            *refused(
                cut_off=gzip.compress(CSV)[:-20],
                another_checksum=gzip.compress(CSV)[:-8] + b"\0" * 8,
            ),
            Run(name="cut off behind some spans", inject=nothing, put_file=put_cut_off),
        ),
    ),
)
