"""awswrangler: upsert of a pandas data frame.

Source: the documentation of `awswrangler.postgresql.to_sql`, mode "upsert".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import awswrangler
import pandas as pd
import pg8000
from psycopg.conninfo import conninfo_to_dict

from benchmarks.loaders import COLUMNS, Job

# Rows of one statement. The protocol allows 32,767 parameters.
CHUNK_ROWS = 2_000


def ready(job: Job) -> Callable[[], None]:
    """Prepare a run that reads the file with pandas and upserts the frame."""
    known: dict[str, Any] = conninfo_to_dict(job.conninfo)
    socket = f"{known['host']}/.s.PGSQL.{known['port']}"

    def run() -> None:
        frame = read(job.path)
        conn = pg8000.connect(
            user=known["user"], database=known["dbname"], unix_sock=socket
        )
        awswrangler.postgresql.to_sql(
            frame,
            conn,
            table="salespro_appointment",
            schema="public",
            mode="upsert",
            use_column_names=True,
            upsert_conflict_columns=["id"],
            chunksize=CHUNK_ROWS,
        )
        conn.close()

    return run


def read(path: str) -> pd.DataFrame:
    """Read the export into a frame with the columns of the table."""
    frame = pd.read_csv(path, dtype=str, names=list(COLUMNS), header=0)
    frame["is_sale"] = frame["is_sale"].str.upper() == "TRUE"
    for name in ("created_at", "updated_at"):
        frame[name] = pd.to_datetime(frame[name], format="ISO8601")
    frame["sale_amount"] = [
        Decimal(cell) if isinstance(cell, str) else None
        for cell in frame["sale_amount"]
    ]
    return frame
