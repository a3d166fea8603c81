"""Sling: incremental mode with a primary key, which loads a table by COPY and merges it.

The wheel has the binary.  Sling finds columns by the names in the header and has no defaults,
so it gets a copy of the file with the names of the table, and `FALSE` in place of an empty
`isSale`.  Writing the copy is not measured.
"""

from __future__ import annotations

import csv
import os
import subprocess
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from benchmarks.loaders import COLUMNS, Job

IS_SALE = COLUMNS.index("is_sale")


def ready(job: Job) -> Callable[[], None]:
    """Write the copy and the environment; the process starts in the measured time."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "copy.csv"
    with (
        Path(job.path).open(encoding="utf-8", newline="") as source,
        path.open("w", encoding="utf-8", newline="") as target,
    ):
        reader, writer = csv.reader(source), csv.writer(target)
        next(reader)
        writer.writerow(COLUMNS)
        for cells in reader:
            cells[IS_SALE] = cells[IS_SALE] or "FALSE"
            writer.writerow(cells)
    known = {name: str(value) for name, value in conninfo_to_dict(job.conninfo).items()}
    environ = os.environ | {
        "BENCH": f"postgresql://{known['user']}@/{known['dbname']}?port={known['port']}"
        f"&host={quote(known['host'], safe='')}&sslmode=disable",
        "SLING_HOME_DIR": str(folder),
        "SLING_DISABLE_TELEMETRY": "true",
        # No column of its own in the table.
        "SLING_LOADED_AT_COLUMN": "false",
    }
    command = [
        str(files("sling_linux_amd64").joinpath("bin", "sling-linux-amd64")),
        *("run", "--src-stream", f"file://{path}"),
        *("--src-options", '{"format": "csv", "empty_as_null": true}'),
        *("--tgt-conn", "BENCH", "--tgt-object", "public.salespro_appointment"),
        *("--mode", "incremental", "--primary-key", "id"),
    ]

    def run() -> None:
        done = subprocess.run(  # noqa: S603 -- the binary of the wheel
            command, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr or done.stdout)

    return run
