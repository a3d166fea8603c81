"""Row triggers of the warehouse, and rows for the tests of these."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg import Connection

from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.columns import Export
from tests.support.builders import CsvRow, appointment, user
from tests.support.import_runs import CHUNKS_OF_20

LENIENT = replace(CHUNKS_OF_20, is_lenient=True)

both_exports = pytest.mark.parametrize(
    "export", [APPOINTMENTS, USERS], ids=["appointments", "users"]
)
both_modes = pytest.mark.parametrize(
    "options", [CHUNKS_OF_20, LENIENT], ids=["strict", "lenient"]
)


def row(export: Export, index: int, name: str = "Lee") -> CsvRow:
    """A row of the export."""
    key = f"A-{index:03}"
    if export is APPOINTMENTS:
        return appointment(key, customer_nameLast=name)
    return user(key, Last_Name=name)


def name_column(export: Export) -> str:
    return "customer_last_name" if export is APPOINTMENTS else "last_name"


def with_invalid_cells(export: Export, rows: list[CsvRow]) -> list[CsvRow]:
    """These rows, with an amount that is not a number in every third one."""
    label = "saleAmount" if export is APPOINTMENTS else "Additional Amount"
    return [
        csv_row | ({label: "a lot"} if index % 3 == 0 else {})
        for index, csv_row in enumerate(rows)
    ]


def add_trigger(
    conn: Connection,
    export: Export,
    body: str,
    *,
    when: str = "BEFORE INSERT OR UPDATE",
) -> None:
    """Add a row trigger with this PL/pgSQL to the export's table."""
    name = f"warehouse_{when.lower().replace(' ', '_')}"
    conn.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} RETURN NEW; END $$".encode()
    )
    conn.execute(
        f"CREATE TRIGGER {name} {when} ON {export.table}"
        f" FOR EACH ROW EXECUTE FUNCTION {name}()".encode()
    )


def skip(export: Export, *indexes: int) -> str:
    """PL/pgSQL that skips these rows."""
    keys = ", ".join(f"'A-{index:03}'" for index in indexes)
    return f"IF NEW.{export.key} IN ({keys}) THEN RETURN NULL; END IF;"
