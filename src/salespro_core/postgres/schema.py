"""The names of all tables, columns and indexes that `schema.sql` creates.

They are parsed from the script, to avoid a second list.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_TABLE = re.compile(
    r"^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)^\);", re.MULTILINE | re.DOTALL
)
_ALTERED = re.compile(r"^ALTER TABLE (\w+)\n(.*?);", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^    ([a-z]\w*) ", re.MULTILINE)
_ADDED = re.compile(r"ADD COLUMN IF NOT EXISTS (\w+)")
_DEFAULT = re.compile(r"ALTER COLUMN (\w+) +SET DEFAULT")
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (\w+)", re.MULTILINE)
_CONSTRAINT = re.compile(r"ADD CONSTRAINT (\w+)")


@dataclass(frozen=True, slots=True)
class Schema:
    """The names that a complete database contains.

    Attributes:
        version: a hash of the script, so it changes with the script.
        tables: in the order of the script.
        columns: pairs of table and column.
        defaults: pairs of table and column, for the columns with a default.
        indexes: without those of the primary keys.
        constraints: without those of the primary keys.
    """

    version: str
    tables: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    defaults: tuple[tuple[str, str], ...]
    indexes: tuple[str, ...]
    constraints: tuple[str, ...]


def schema_script() -> bytes:
    """The text of `schema.sql`."""
    return resources.files(__package__).joinpath("schema.sql").read_bytes()


@cache
def expected_schema() -> Schema:
    """The schema that `schema.sql` creates."""
    text = schema_script().decode()
    tables = _TABLE.findall(text)
    altered = _ALTERED.findall(text)
    columns = [
        (table, name) for table, body in tables for name in _COLUMN.findall(body)
    ]
    columns += [
        (table, name) for table, body in altered for name in _ADDED.findall(body)
    ]
    return Schema(
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        tables=tuple(name for name, _ in tables),
        columns=tuple(columns),
        defaults=tuple(
            (table, name) for table, body in altered for name in _DEFAULT.findall(body)
        ),
        indexes=tuple(_INDEX.findall(text)),
        constraints=tuple(_CONSTRAINT.findall(text)),
    )
