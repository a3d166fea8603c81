"""The name of a database in messages: never with a part of the password."""

from __future__ import annotations

import pytest

from salespro_cli.local_postgres.database_url import describe_database
from tests.support.builders import CANARY_PASSWORD

PG_VARIABLES = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGHOSTADDR", "PGSERVICE")


@pytest.fixture(autouse=True)
def _no_pg_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PG_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "described"),
    [
        (
            f"postgresql://ann:{CANARY_PASSWORD}@warehouse.example.com/sales",
            "sales on warehouse.example.com",
        ),
        ("postgres://h:5432/sales", "sales on h"),
        ("postgresql://h:6432/sales?sslmode=require", "sales on h:6432"),
        ("postgresql://h:54321/sales", "sales on h:54321"),
        (f"host=h dbname=sales password={CANARY_PASSWORD}", "sales on h"),
        (f"postgresql://ann:{CANARY_PASSWORD}@h", "ann on h"),
        ("postgresql://[::1]:5432/sales", "sales on [::1]"),
        ("postgresql://[2001:db8::1]:6432/sales", "sales on [2001:db8::1]:6432"),
        ("postgresql://a,b:6432/sales", "sales on a, b:6432"),
        ("host=/var/run/postgresql dbname=sales", "sales on /var/run/postgresql"),
        ("host=/run port=6432 dbname=sales", "sales on /run/.s.PGSQL.6432"),
        ("dbname=sales", "sales on the local socket"),
        ("dbname=sales hostaddr=10.0.0.1", "sales on 10.0.0.1"),
        ("service=sales", "service sales"),
        (
            f"postgresql://ann:{CANARY_PASSWORD}@h:x/sales",
            "the database of DATABASE_URL",
        ),
        (
            f"postgresql://ann:1/{CANARY_PASSWORD}@h/sales",
            "the database of DATABASE_URL",
        ),
        (
            f"postgresql://ann:{CANARY_PASSWORD}@x@h/sales",
            "the database of DATABASE_URL",
        ),
        (f"postgresql//ann:{CANARY_PASSWORD}@h/sales", "the database of DATABASE_URL"),
        (f"{CANARY_PASSWORD}", "the database of DATABASE_URL"),
    ],
)
def test_database_is_described_by_its_name_and_host_without_the_password(
    monkeypatch: pytest.MonkeyPatch, url: str, described: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    assert describe_database() == described


def test_pg_variables_complete_the_description(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setenv("PGHOST", "warehouse")
    monkeypatch.setenv("PGDATABASE", "sales")
    monkeypatch.setenv("PGPORT", "6432")

    assert describe_database() == "sales on warehouse:6432"
