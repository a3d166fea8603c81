"""Changes to the tables, each with the statements that revert it."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.builders import CANARY

TABLE = "ALTER TABLE salespro_appointment"
HISTORY = "ALTER TABLE salespro_sync_history"
FILL = "UPDATE salespro_appointment SET"


class SchemaChange(NamedTuple):
    """Statements of an administrator, as texts that `change_database` accepts."""

    change: str
    revert: str


def rename_away(table: str) -> SchemaChange:
    """Rename a table, so that it seems to be missing."""
    return SchemaChange(
        change=f"ALTER TABLE {table} RENAME TO aside",
        revert=f"ALTER TABLE aside RENAME TO {table}",
    )


FILLED = (
    f"{TABLE} ADD customer_estimate_name varchar(255);"
    f"{FILL} customer_estimate_name = '{CANARY}'"
)
RENAMED = SchemaChange(
    change=f"{TABLE} RENAME customer_estimate_name TO estimate",
    revert=f"{TABLE} RENAME estimate TO customer_estimate_name",
)
RENAMED_USERS = SchemaChange(
    change="ALTER TABLE salespro_users RENAME username TO login",
    revert="ALTER TABLE salespro_users RENAME login TO username",
)
DROPPED = SchemaChange(change=f"{TABLE} DROP customer_estimate_name", revert=FILLED)
GENERATED = SchemaChange(
    change=f"{TABLE} DROP customer_estimate_name; {TABLE} ADD customer_estimate_name"
    f" varchar(255) GENERATED ALWAYS AS ('{CANARY}') STORED",
    revert=f"{TABLE} DROP customer_estimate_name; {FILLED}",
)
TO_INTEGER = SchemaChange(
    change=f"{TABLE} ALTER is_sale DROP DEFAULT,"
    " ALTER is_sale TYPE int USING is_sale::int",
    revert=f"{TABLE} ALTER is_sale TYPE boolean USING is_sale::boolean,"
    " ALTER is_sale SET DEFAULT false",
)
TO_TEXT = SchemaChange(
    change=f"{TABLE} ALTER sale_amount TYPE text",
    revert=f"{TABLE} ALTER sale_amount TYPE numeric(12, 2)"
    " USING sale_amount::numeric(12, 2)",
)
MANDATORY = SchemaChange(
    change=f"{TABLE} ADD region text; {FILL} region = 'East';"
    f"{TABLE} ALTER region SET NOT NULL",
    revert=f"{TABLE} DROP region",
)
A_VIEW = SchemaChange(
    change=f"{TABLE} RENAME TO appointments;"
    "CREATE VIEW salespro_appointment AS TABLE appointments;"
    "GRANT SELECT, INSERT, UPDATE ON salespro_appointment TO {role}",
    revert="DROP VIEW salespro_appointment;"
    "ALTER TABLE appointments RENAME TO salespro_appointment",
)
NO_KEY = SchemaChange(
    change=f"{TABLE} DROP CONSTRAINT salespro_appointment_pkey",
    revert=f"{TABLE} ADD CONSTRAINT salespro_appointment_pkey PRIMARY KEY (id)",
)
NO_FILE_INDEX = SchemaChange(
    change="DROP INDEX salespro_sync_history_file",
    revert="CREATE UNIQUE INDEX salespro_sync_history_file"
    " ON salespro_sync_history (bucket, object_key, object_version)",
)
STRICT_HISTORY = SchemaChange(
    change=f"{HISTORY} ADD CONSTRAINT of_ours CHECK (status <> 'in_progress')",
    revert=f"{HISTORY} DROP CONSTRAINT of_ours",
)
WIDER = SchemaChange(
    change=f"{TABLE} ADD region text DEFAULT 'East',"
    " ALTER customer_last_name TYPE text",
    revert=f"{TABLE} DROP region, ALTER customer_last_name TYPE varchar(100)",
)
