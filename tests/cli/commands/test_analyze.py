"""Acceptance: `salespro analyze`."""

from __future__ import annotations

import re

from psycopg import Connection

from tests.support.builders import appointment, csv_bytes, upload, user
from tests.support.import_runs import run
from tests.support.terminal import NEW_YORK, CommandResult, Terminal


def test_analyze_prints_sums_reps_days_and_recent_imports(
    terminal: Terminal, conn: Connection
) -> None:
    rows = [
        appointment("A1", saleAmount="10,000.00", salesrep_email="ANN.lee@example.com"),
        appointment("A2", saleAmount=""),
        appointment("A3", isSale="FALSE", saleAmount=""),
    ]
    users = csv_bytes(user("U1", Last_Name="Lee-Fox"))
    run(conn, csv_bytes(*rows), upload(object_key="june.csv"))
    run(conn, users, upload(object_key="users.csv"))

    done = terminal.run("analyze", COLUMNS="120", **NEW_YORK)
    as_json = terminal.run("analyze", "--json", **NEW_YORK).json()

    lines = [
        re.split(r" {2,}", line.strip())
        for line in done.out.splitlines()
        if line.strip()
    ]
    for expected in (
        ["appointments", "3"],
        ["sales", "2"],
        ["with an amount", "1"],
        ["conversion rate", "66.7 %"],
        ["revenue", "10,000.00"],
        ["minimum", "10,000.00"],
        ["Ann Lee-Fox", "Baltimore", "3", "2", "66.7 %", "10,000.00", "10,000.00"],
        ["Top reps by sales"],
    ):
        assert expected in lines
    # 00:15 in UTC is the evening before in New York.
    assert any(line[0] == "2025-06-05 Thu" for line in lines)
    assert [line[3] for line in lines if line[0] in "12"] == ["users.csv", "june.csv"]
    sums = {
        "appointments": 3,
        "sales": 2,
        "conversion_rate": 66.67,
        "sales_with_amount": 1,
        "revenue": "10000.00",
        "average": "10000.00",
        "minimum": "10000.00",
        "maximum": "10000.00",
    }
    assert as_json["overview"] == sums
    assert as_json["top_reps"] == [
        {
            "email": "ann.lee@example.com",
            "name": "Ann Lee-Fox",
            "office": "Baltimore ( a1B2c3D4e5 )",
            "is_active": True,
            **sums,
        }
    ]
    assert as_json["daily"] == [{"day": "2025-06-05", **sums}]
    assert [import_["id"] for import_ in as_json["recent_imports"]] == [2, 1]
    assert (as_json["days"], as_json["since"]) == (None, None)


def test_analyze_without_appointments_suggests_what_to_do(
    terminal: Terminal, conn: Connection
) -> None:
    before = terminal.run("analyze")
    database = terminal.run("analyze", "--json").json()["database"]
    run(conn, csv_bytes(appointment()))
    after = terminal.run("analyze", "--days", "7")

    assert before == CommandResult(
        0, f"No appointments yet in {database}. Try: salespro import FILE\n", ""
    )
    assert after.out.startswith(
        f"No appointment in {database} was created in the last 7 days. "
        "The newest is from 2025-06-06. Try: salespro analyze\n"
    )
    assert terminal.run("analyze", "--days", "7", "--json").json()["daily"] == []
