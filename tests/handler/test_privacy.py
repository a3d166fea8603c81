"""No cell of a file is told to anybody, whatever is wrong with it.

The rejects file and the reports hold cells by design; the log, the metrics, exceptions, the
history and the messages do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.builders import csv_bytes
from tests.support.world.world import CANARY, Put, World, cells

DAY = "2025-06-18T10:00:00.000Z"
GOOD = ("A-1", DAY, "1")
LONG = f"{CANARY} " * 60

# reason -> label and cell, which holds the canary wherever it can.
OF_APPOINTMENTS = {
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
OF_USERS = {
    "is empty": ("User Object ID", " "),
    "holds an office id": ("Assigned Office", f"{CANARY} ( {'y' * 51} )"),
    "is not a date": ("Last Login", CANARY),
    "(read as month, day)": ("Last Login", "18/06/2025"),
    "is not TRUE or FALSE": ("Active/Inactive", CANARY),
    "is not an amount": ("Additional Amount", f"${CANARY}"),
}


def broken(change: Callable[[bytes], bytes]) -> bytes:
    """A good row, one that is changed, and a good one."""
    rows = [cells((key, DAY, "1"), of_users=False) for key in ("A-1", "A-2", "A-3")]
    header, first, second, third = csv_bytes(*rows).splitlines(keepends=True)
    return header + first + change(second) + third


CANARY_BYTES = CANARY.encode()
# reason -> the bytes of a file in which a row is no CSV, or no text.
OF_FORM = {
    "cells where the header has": broken(lambda row: row[:-2] + b"," + row[-2:]),
    "is not UTF-8 text": broken(
        lambda row: row.replace(CANARY_BYTES, CANARY_BYTES + b"\xff", 1)
    ),
    "has a quote in a cell that is not quoted": broken(
        lambda row: row.replace(CANARY_BYTES, b'5" ' + CANARY_BYTES, 1)
    ),
    "has text behind a closing quote": broken(
        lambda row: row.replace(b"Called", b'"Called"', 1)
    ),
    "has a quote that is never closed": broken(
        lambda row: row.replace(b"Called", b'"Called', 1)
    ),
    "is cut off": broken(lambda row: row).removesuffix(b"\r\n")[:-60],
}
WAYS = ("queue", "no-queue", "dry-run", "lenient")


def rows_of(reasons: dict[str, tuple[str, str]], *, of_users: bool) -> bytes:
    """A good row, and one for each reason."""
    bad = [
        {**cells((f"B-{place}", DAY, "1"), of_users=of_users), label: cell}
        for place, (label, cell) in enumerate(reasons.values())
    ]
    return csv_bytes(cells(GOOD, of_users=of_users), *bad)


def imported(
    world: World, data: bytes, way: str, monkeypatch: pytest.MonkeyPatch
) -> Put:
    """Import these bytes that way, or find out what would become of them."""
    if way == "lenient":
        monkeypatch.setenv("INVALID_VALUES", "null")
    key = "dryrun/SalesPro.csv" if way == "dry-run" else "SalesPro.csv"
    put = world.put_bytes(data, [], key)
    if way == "no-queue":
        world.invoke_without_queue(put)
    else:
        world.invoke(put)
    return put


def kept(world: World, put: Put, name: str) -> str:
    """What the report bucket has of it."""
    found = world.cloud.list_objects_v2(Bucket=world.reports, Prefix=put.key)
    [key] = [o["Key"] for o in found.get("Contents", []) if o["Key"].endswith(name)]
    return (
        world.cloud.get_object(Bucket=world.reports, Key=key)["Body"]
        .read()
        .decode(errors="replace")
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("reasons", "of_users"),
    [
        pytest.param(OF_APPOINTMENTS, False, id="appointments"),
        pytest.param(OF_USERS, True, id="users"),
    ],
)
def test_a_bad_cell_is_told_to_nobody(
    world: World,
    reasons: dict[str, tuple[str, str]],
    of_users: bool,  # noqa: FBT001 -- pytest passes it by name
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every reason that a cell can be rejected for, in both exports."""
    put = imported(world, rows_of(reasons, of_users=of_users), way, monkeypatch)

    assert put.is_acknowledged
    world.check_telling()
    report = kept(world, put, "report.json")
    # By design, here they are: rows are corrected in it.
    assert CANARY in kept(world, put, "rejects.csv")
    for reason in reasons:
        assert reason in report
    assert json.loads(report)["rejected"] == (
        # In lenient mode only a bad key costs its row.
        sum(label in ("_id", "User Object ID") for label, _ in reasons.values())
        if way == "lenient"
        else len(reasons)
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reason", OF_FORM)
def test_a_damaged_row_is_told_to_nobody(
    world: World, reason: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = imported(world, OF_FORM[reason], way, monkeypatch)

    assert put.is_acknowledged
    world.check_telling()
    assert reason in kept(world, put, "report.json")
    assert CANARY in kept(world, put, "rejects.csv")


@pytest.mark.parametrize("way", ["queue", "no-queue", "dry-run"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            csv_bytes(cells(GOOD, of_users=False)).splitlines()[1], id="no-header"
        ),
        pytest.param(f'"{CANARY}'.encode(), id="header-is-no-csv"),
        pytest.param(f"{CANARY},{CANARY}\n1,2\n".encode(), id="another-export"),
        pytest.param(f"{CANARY}\0".encode("utf-16"), id="utf-16"),
        pytest.param(b"\x1f\x8b" + CANARY_BYTES, id="broken-gzip"),
    ],
)
def test_a_file_that_is_refused_is_not_quoted(
    world: World, data: bytes, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = imported(world, data, way, monkeypatch)

    assert put.is_acknowledged
    world.check_telling()
    assert json.loads(kept(world, put, "report.json"))["error"]


@pytest.mark.parametrize("way", WAYS)
def test_what_postgres_refuses_is_told_to_nobody(
    world: World, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own messages quote the row: `Failing row contains (...)`."""
    world.conn.execute(
        "ALTER TABLE salespro_appointment ADD CONSTRAINT no_canaries"
        f" CHECK (customer_last_name <> '{CANARY}')"
    )

    put = imported(world, csv_bytes(cells(GOOD, of_users=False)), way, monkeypatch)

    assert put.is_acknowledged
    world.check_telling()
    assert "no_canaries" in kept(world, put, "report.json")
    assert CANARY in kept(world, put, "rejects.csv")


def test_an_object_that_is_at_fault_ends_an_invocation_without_its_cells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a queue Lambda logs the exception, and sends its text on."""
    world.conn.execute("DROP TABLE salespro_appointment CASCADE")

    put = imported(
        world, csv_bytes(cells(GOOD, of_users=False)), "no-queue", monkeypatch
    )

    assert not put.is_acknowledged
    assert "salespro migrate" in world.told.getvalue()
    world.check_telling()
