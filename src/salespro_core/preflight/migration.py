"""What a migration would do, to say afterwards what it did."""

from __future__ import annotations

from typing import Literal

from psycopg import Connection

from salespro_core.postgres.schema import expected_schema
from salespro_core.postgres.session import transaction
from salespro_core.postgres.sqlstates import store_errors
from salespro_core.preflight.database import schema_problems


def migration_effect(
    conn: Connection,
) -> Literal["were up to date", "are created", "are updated"]:
    """What becomes of the tables in a migration that has not run yet.

    Args:
        conn: in autocommit.

    Raises:
        StoreUnavailable, StoreRefused: the tables cannot be looked at.
    """
    with store_errors("looking at the tables"), transaction(conn):
        missing = [problem.description for problem in schema_problems(conn)]
    if not missing:
        return "were up to date"
    if missing == [f"table missing: {', '.join(expected_schema().tables)}"]:
        return "are created"
    return "are updated"
