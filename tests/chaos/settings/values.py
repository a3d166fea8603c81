"""The values of each setting that the sweep tries."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from tests.support.builders import CANARY


class SettingRow(NamedTuple):
    """A row of pg_settings.

    Attributes:
        default: the value of a session without settings.
        min_val: of a number, as text; also `max_val`.
    """

    name: str
    vartype: str
    context: str
    default: str
    min_val: str | None = None
    max_val: str | None = None
    enumvals: tuple[str, ...] = ()


# Settings that SET knows and pg_settings does not list.
UNLISTED = tuple(
    SettingRow(name, "string", "user", "") for name in ("role", "session_authorization")
)
# Settings of which a server may have one value only: it depends on how it was built.
ONE_VALUE = {
    "debug_discard_caches",
    "default_table_access_method",
    "default_toast_compression",
    "effective_io_concurrency",
    "maintenance_io_concurrency",
}
# A list of names: each is quoted on its own.
LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "temp_tablespaces",
}
# Value that a testbed replaces by the name of one of its roles or tablespaces.
POWERLESS, POWERFUL, TABLESPACE = "{powerless}", "{powerful}", "{tablespace}"

_CATEGORIES = ("user", "superuser", "backend", "superuser-backend")
_NAMES: dict[str, tuple[str, ...]] = {
    "application_name": ("", "x" * 200, f"{CANARY} 'é"),
    "backtrace_functions": ("errfinish, exec_simple_query",),
    "client_encoding": ("LATIN1", "SQL_ASCII", "EUC_JP", "WIN1252"),
    "createrole_self_grant": ("set, inherit",),
    "DateStyle": (
        *("ISO, DMY", "ISO, YMD", "SQL, DMY", "SQL, MDY"),
        *("Postgres, DMY", "Postgres, MDY", "German"),
    ),
    "default_table_access_method": ("heap",),
    "default_tablespace": (TABLESPACE, "pg_default", "no such tablespace"),
    "default_text_search_config": ("pg_catalog.english", "pg_catalog.german"),
    "dynamic_library_path": ("/nowhere", ""),
    "extension_control_path": ("/nowhere", ""),
    "lc_messages": ("POSIX", "C.utf8", "de_DE.utf8", "tr_TR.utf8"),
    "lc_monetary": ("POSIX", "C.utf8", "de_DE.utf8", "tr_TR.utf8"),
    "lc_numeric": ("POSIX", "C.utf8", "de_DE.utf8", "tr_TR.utf8"),
    "lc_time": ("POSIX", "C.utf8", "de_DE.utf8", "tr_TR.utf8"),
    "local_preload_libraries": ("no_such_library",),
    "log_connections": ("all", "on"),
    "plpgsql.extra_errors": ("all", "too_many_rows, strict_multi_assignment"),
    "plpgsql.extra_warnings": ("all", "shadowed_variables"),
    "restrict_nonsystem_relation_kind": ("view, foreign-table", "view"),
    "role": (POWERLESS, POWERFUL, "none"),
    "search_path": (
        *("", "pg_catalog", "nowhere", "public, pg_catalog", "pg_catalog, public"),
        *("pg_temp, public", "public, pg_temp", "nowhere, public", "public, public"),
    ),
    "session_authorization": (POWERLESS, POWERFUL),
    "session_preload_libraries": ("plpgsql", "no_such_library"),
    "temp_tablespaces": (TABLESPACE, "no such tablespace", "pg_global"),
    "timezone_abbreviations": ("India", "Australia"),
    "TimeZone": (
        *("Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu"),
        *("Pacific/Apia", "Pacific/Kiritimati", "Africa/Monrovia", "<+0330>-3:30"),
        *("-12", "ABC+15:59:59", "UTC"),
    ),
    "wal_consistency_checking": ("all", "heap"),
}
# Not every value of these numbers: the largest delays each connection by half an hour.
_NUMBERS = {"post_auth_delay": ("1",)}
# Costs have no limit but that of a double.
_LARGEST_COST = 1e300
# A value of a setting that no extension has defined.
_TEXTS = ("on", "1", f"{CANARY} 'x'")


def read_settings(conn: Connection) -> list[SettingRow]:
    """Return the settings that a role, a database, a session or a connection can change."""
    # Its settings appear in pg_settings when it is loaded; the warehouse's triggers use it.
    conn.execute("LOAD 'plpgsql'")
    with conn.cursor(row_factory=class_row(SettingRow)) as cur:
        listed = cur.execute(
            """
            SELECT name, vartype, context, coalesce(reset_val, '') AS default, min_val,
                   max_val, coalesce(enumvals, '{}') AS enumvals
              FROM pg_settings
             WHERE context = ANY(%s)
             ORDER BY name
            """,
            [list(_CATEGORIES)],
        ).fetchall()
    return [*listed, *UNLISTED]


def values_to_try(row: SettingRow) -> list[str]:
    """Return values that differ from the default."""
    match row.vartype:
        case "bool":
            candidates = ["off" if row.default == "on" else "on"]
        case "enum":
            candidates = list(row.enumvals)
        case "integer":
            candidates = [f"{number:.0f}" for number in _numbers(row, 1)]
        case "real":
            candidates = [repr(number) for number in _numbers(row, 0.01)]
        case _:
            candidates = list(_NAMES.get(row.name, _TEXTS))
    return [
        value
        for value in dict.fromkeys(_NUMBERS.get(row.name, candidates))
        if not _is_default(row, value)
    ]


def _numbers(row: SettingRow, step: float) -> list[float]:
    """The limits, 0 if the lower limit means something else, and a number in between.

    A limit that is the default is replaced by its neighbour.
    """
    low, high = float(row.min_val or 0), float(row.max_val or 0)
    between = math.sqrt(max(low, step)) * math.sqrt(max(high, step))
    if high > _LARGEST_COST:
        # Postgres prints its largest double rounded up.
        high, between = sys.float_info.max, 10 * max(float(row.default), step)
    numbers = [low, high, between]
    if low < 0:
        numbers.append(0)
    elif _is_default(row, str(low)):
        numbers[0] = low + step
    return [number for number in numbers if low <= number <= high]


def _is_default(row: SettingRow, value: str) -> bool:
    if row.vartype in ("integer", "real"):
        return math.isclose(float(row.default), float(value), rel_tol=1e-9)
    return value == row.default
