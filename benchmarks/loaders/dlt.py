"""dlt: merge with the upsert strategy, from Arrow, loaded as CSV by COPY.

This is the fastest method for Postgres in its documentation without other drivers.  An
empty load before the measurement creates its pipeline, its own tables and its staging.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.conninfo import conninfo_to_dict
from pyarrow import csv

from benchmarks.loaders import COLUMNS, Job

INSTANT = pa.timestamp("us", tz="UTC")
TYPES = dict.fromkeys(COLUMNS, pa.string()) | {
    "created_at": INSTANT,
    "updated_at": INSTANT,
    "sale_amount": pa.decimal128(12, 2),
}
SCHEMA = pa.schema(TYPES | {"is_sale": pa.bool_()})


def ready(job: Job) -> Callable[[], None]:
    """Set up a pipeline and run it once without rows."""
    known: dict[str, Any] = conninfo_to_dict(job.conninfo)
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=tempfile.mkdtemp(),
        destination=dlt.destinations.postgres(
            {
                "database": known["dbname"],
                "username": known["user"],
                "password": "none",
                "host": "localhost",
                "port": int(known["port"]),
                # A URL cannot have a socket as its host; libpq uses this value instead.
                "query": {"host": known["host"]},
            }
        ),
        dataset_name="public",
    )
    load(pipeline, iter([SCHEMA.empty_table()]))
    return lambda: load(pipeline, read_tables(job.path))


def load(pipeline: Any, tables: Iterator[pa.Table]) -> None:  # noqa: ANN401 -- untyped
    """Run the pipeline once."""
    resource = dlt.resource(
        tables,
        name="salespro_appointment",
        primary_key="id",
        write_disposition={
            "disposition": "merge",
            "strategy": "upsert",
            "skip_unchanged_rows": True,
        },
    )
    pipeline.run(resource, loader_file_format="csv").raise_on_failed_jobs()


def read_tables(path: str) -> Iterator[pa.Table]:
    """Read the export in batches."""
    reader = csv.open_csv(
        path,
        read_options=csv.ReadOptions(column_names=list(COLUMNS), skip_rows=1),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=TYPES, strings_can_be_null=True
        ),
    )
    for batch in reader:
        table = pa.Table.from_batches([batch])
        is_sale = pc.equal(pc.utf8_upper(table["is_sale"]), "TRUE")
        column_index = table.schema.get_field_index("is_sale")
        yield table.set_column(
            column_index, "is_sale", pc.fill_null(is_sale, fill_value=False)
        )
