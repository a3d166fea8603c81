"""No cell of a file leaves the report, whatever is wrong with the file.

The rejects file and the reports contain cells by design; the log, the metrics, exceptions,
the history and the SNS messages do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.builders import CANARY, csv_bytes
from tests.support.world.uploads import TrackedUpload, cells
from tests.support.world.world import World

DAY = "2025-06-18T10:00:00.000Z"
GOOD = ("A-1", DAY, "1")
LONG = f"{CANARY} " * 60

# reason -> label and cell; the cell contains the canary wherever possible.
APPOINTMENT_REASONS = {
    "is empty": ("_id", ""),
    "is longer than 50 characters": ("_id", LONG),
    "is longer than 100 characters": ("customer.nameLast", LONG),
    "contains a NUL character": ("resultFullString", f"{CANARY}\0"),
    "is not a timestamp": ("_created_at", CANARY),
    "is not a day of the calendar": ("_updated_at", "2025-02-30T10:00:00.000Z"),
    "is beyond the years": ("_updated_at", "9999-12-31T23:59:59-23:00"),
    "is not TRUE or FALSE": ("isSale", CANARY),
    "is not an amount": ("saleAmount", f"{CANARY}12"),
    "digits before the point": ("saleAmount", "12345678901"),
}
USERS_REASONS = {
    "is empty": ("User Object ID", " "),
    "holds an office id": ("Assigned Office", f"{CANARY} ( {'y' * 51} )"),
    "is not a date": ("Last Login", CANARY),
    "(read as month, day)": ("Last Login", "18/06/2025"),
    "is not TRUE or FALSE": ("Active/Inactive", CANARY),
    "is not an amount": ("Additional Amount", f"${CANARY}"),
}


def malformed(change: Callable[[bytes], bytes]) -> bytes:
    """A file of three rows; the second row is changed."""
    rows = [cells((key, DAY, "1"), of_users=False) for key in ("A-1", "A-2", "A-3")]
    header, first, second, third = csv_bytes(*rows).splitlines(keepends=True)
    return header + first + change(second) + third


CANARY_BYTES = CANARY.encode()
# reason -> a file in which one row is not valid CSV, or not text.
MALFORMED_FILES = {
    "cells where the header has": malformed(lambda row: row[:-2] + b"," + row[-2:]),
    "is not UTF-8 text": malformed(
        lambda row: row.replace(CANARY_BYTES, CANARY_BYTES + b"\xff", 1)
    ),
    "has a quote in a cell that is not quoted": malformed(
        lambda row: row.replace(CANARY_BYTES, b'5" ' + CANARY_BYTES, 1)
    ),
    "has text after a closing quote": malformed(
        lambda row: row.replace(b"Called", b'"Called"', 1)
    ),
    "has a quote that is never closed": malformed(
        lambda row: row.replace(b"Called", b'"Called', 1)
    ),
    "is cut off": malformed(lambda row: row).removesuffix(b"\r\n")[:-60],
}
MODES = ("queue", "no-queue", "dry-run", "lenient")


def rows_of(reasons: dict[str, tuple[str, str]], *, of_users: bool) -> bytes:
    """A file with a good row, and a bad row for each reason."""
    bad = [
        {**cells((f"B-{index}", DAY, "1"), of_users=of_users), label: cell}
        for index, (label, cell) in enumerate(reasons.values())
    ]
    return csv_bytes(cells(GOOD, of_users=of_users), *bad)


def process(
    world: World, data: bytes, mode: str, monkeypatch: pytest.MonkeyPatch
) -> TrackedUpload:
    """Upload and process a file.

    Args:
        mode: one of `MODES`.
    """
    if mode == "lenient":
        monkeypatch.setenv("INVALID_VALUES", "null")
    key = "dryrun/SalesPro.csv" if mode == "dry-run" else "SalesPro.csv"
    upload = world.upload_bytes(data, [], key)
    if mode == "no-queue":
        world.invoke_directly(upload)
    else:
        world.invoke(upload)
    return upload


def report_file(world: World, upload: TrackedUpload, name: str) -> str:
    """The content of a file of the upload's report."""
    listed = world.s3_client.list_objects_v2(
        Bucket=world.report_bucket, Prefix=upload.key
    )
    [key] = [o["Key"] for o in listed.get("Contents", []) if o["Key"].endswith(name)]
    return (
        world.s3_client.get_object(Bucket=world.report_bucket, Key=key)["Body"]
        .read()
        .decode(errors="replace")
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("reasons", "of_users"),
    [
        pytest.param(APPOINTMENT_REASONS, False, id="appointments"),
        pytest.param(USERS_REASONS, True, id="users"),
    ],
)
def test_bad_cell_is_in_the_rejects_file_and_not_in_the_output(
    world: World,
    reasons: dict[str, tuple[str, str]],
    of_users: bool,  # noqa: FBT001 -- pytest passes it by name
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every reason for which a cell can be rejected, in both exports."""
    upload = process(world, rows_of(reasons, of_users=of_users), mode, monkeypatch)

    assert upload.is_acknowledged
    world.check_output()
    report = report_file(world, upload, "report.json")
    # By design: people correct the rows in this file.
    assert CANARY in report_file(world, upload, "rejects.csv")
    for reason in reasons:
        assert reason in report
    assert json.loads(report)["rejected"] == (
        # In lenient mode, only a bad key rejects its row.
        sum(label in ("_id", "User Object ID") for label, _ in reasons.values())
        if mode == "lenient"
        else len(reasons)
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reason", MALFORMED_FILES)
def test_malformed_row_is_in_the_rejects_file_and_not_in_the_output(
    world: World, reason: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = process(world, MALFORMED_FILES[reason], mode, monkeypatch)

    assert upload.is_acknowledged
    world.check_output()
    assert reason in report_file(world, upload, "report.json")
    assert CANARY in report_file(world, upload, "rejects.csv")


@pytest.mark.parametrize("mode", ["queue", "no-queue", "dry-run"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            csv_bytes(cells(GOOD, of_users=False)).splitlines()[1], id="no-header"
        ),
        pytest.param(f'"{CANARY}'.encode(), id="malformed-header"),
        pytest.param(f"{CANARY},{CANARY}\n1,2\n".encode(), id="unknown-export"),
        pytest.param(f"{CANARY}\0".encode("utf-16"), id="utf-16"),
        pytest.param(b"\x1f\x8b" + CANARY_BYTES, id="broken-gzip"),
    ],
)
def test_refused_file_is_not_quoted_in_the_output(
    world: World, data: bytes, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = process(world, data, mode, monkeypatch)

    assert upload.is_acknowledged
    world.check_output()
    assert json.loads(report_file(world, upload, "report.json"))["error"]


@pytest.mark.parametrize("mode", MODES)
def test_row_refused_by_postgres_is_in_the_rejects_file_and_not_in_the_output(
    world: World, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres' own message quotes the row: `Failing row contains (...)`."""
    world.conn.execute(
        "ALTER TABLE salespro_appointment ADD CONSTRAINT no_canaries"
        f" CHECK (customer_last_name <> '{CANARY}')"
    )

    upload = process(world, csv_bytes(cells(GOOD, of_users=False)), mode, monkeypatch)

    assert upload.is_acknowledged
    world.check_output()
    assert "no_canaries" in report_file(world, upload, "report.json")
    assert CANARY in report_file(world, upload, "rejects.csv")


def test_exception_of_a_direct_invocation_does_not_quote_cells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a queue, Lambda logs the exception and sends its text to its destination."""
    world.conn.execute("DROP TABLE salespro_appointment CASCADE")

    upload = process(
        world, csv_bytes(cells(GOOD, of_users=False)), "no-queue", monkeypatch
    )

    assert not upload.is_acknowledged
    assert "salespro migrate" in world.output.getvalue()
    world.check_output()
