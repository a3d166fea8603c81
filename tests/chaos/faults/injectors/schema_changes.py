"""Changes to the tables, and how each is changed back."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.world.world import CANARY

TABLE = "ALTER TABLE salespro_appointment"
HISTORY = "ALTER TABLE salespro_sync_history"
FILL = "UPDATE salespro_appointment SET"


class Drift(NamedTuple):
    """Statements of the administrator."""

    change: str
    back: str


def missing(table: str) -> Drift:
    """As if a table were not there."""
    return Drift(
        change=f"ALTER TABLE {table} RENAME TO aside",
        back=f"ALTER TABLE aside RENAME TO {table}",
    )


FILLED = (
    f"{TABLE} ADD customer_estimate_name varchar(255);"
    f"{FILL} customer_estimate_name = '{CANARY}'"
)
RENAMED = Drift(
    change=f"{TABLE} RENAME customer_estimate_name TO estimate",
    back=f"{TABLE} RENAME estimate TO customer_estimate_name",
)
RENAMED_USERS = Drift(
    change="ALTER TABLE salespro_users RENAME username TO login",
    back="ALTER TABLE salespro_users RENAME login TO username",
)
DROPPED = Drift(change=f"{TABLE} DROP customer_estimate_name", back=FILLED)
GENERATED = Drift(
    change=f"{TABLE} DROP customer_estimate_name; {TABLE} ADD customer_estimate_name"
    f" varchar(255) GENERATED ALWAYS AS ('{CANARY}') STORED",
    back=f"{TABLE} DROP customer_estimate_name; {FILLED}",
)
TO_INTEGER = Drift(
    change=f"{TABLE} ALTER is_sale DROP DEFAULT,"
    " ALTER is_sale TYPE int USING is_sale::int",
    back=f"{TABLE} ALTER is_sale TYPE boolean USING is_sale::boolean,"
    " ALTER is_sale SET DEFAULT false",
)
TO_TEXT = Drift(
    change=f"{TABLE} ALTER sale_amount TYPE text",
    back=f"{TABLE} ALTER sale_amount TYPE numeric(12, 2)"
    " USING sale_amount::numeric(12, 2)",
)
MANDATORY = Drift(
    change=f"{TABLE} ADD region text; {FILL} region = 'East';"
    f"{TABLE} ALTER region SET NOT NULL",
    back=f"{TABLE} DROP region",
)
A_VIEW = Drift(
    change=f"{TABLE} RENAME TO appointments;"
    "CREATE VIEW salespro_appointment AS TABLE appointments;"
    "GRANT SELECT, INSERT, UPDATE ON salespro_appointment TO {role}",
    back="DROP VIEW salespro_appointment;"
    "ALTER TABLE appointments RENAME TO salespro_appointment",
)
NO_KEY = Drift(
    change=f"{TABLE} DROP CONSTRAINT salespro_appointment_pkey",
    back=f"{TABLE} ADD CONSTRAINT salespro_appointment_pkey PRIMARY KEY (id)",
)
NO_FILE_INDEX = Drift(
    change="DROP INDEX salespro_sync_history_file",
    back="CREATE UNIQUE INDEX salespro_sync_history_file"
    " ON salespro_sync_history (bucket, object_key, object_version)",
)
STRICT_HISTORY = Drift(
    change=f"{HISTORY} ADD CONSTRAINT of_ours CHECK (status <> 'in_progress')",
    back=f"{HISTORY} DROP CONSTRAINT of_ours",
)
WIDER = Drift(
    change=f"{TABLE} ADD region text DEFAULT 'East',"
    " ALTER customer_last_name TYPE text",
    back=f"{TABLE} DROP region, ALTER customer_last_name TYPE varchar(100)",
)
