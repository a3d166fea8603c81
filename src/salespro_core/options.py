"""How to import, as the environment says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from salespro_core.columns import Export
from salespro_core.errors import ConfigError
from salespro_core.exports import APPOINTMENTS, USERS, catalogue

BATCH_SIZE = 500
CHECKPOINT_ROWS = 5000
# A span of the file is in memory at once, and so is a batch, twice.
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to import.

    Attributes:
        exports: those that are known, for the time zone of their times.
        batch_size: records that one statement writes (BATCH_SIZE).
        checkpoint_rows: rows of the file that one commit covers (CHECKPOINT_ROWS); a
            commit costs more than a statement, and what is not committed is sent again
            after a crash.
        is_lenient: a bad optional value is left out with a warning and its row imported,
            as in the earlier system (INVALID_VALUES=null); otherwise the row is rejected.
    """

    exports: tuple[Export, ...] = (APPOINTMENTS, USERS)
    batch_size: int = BATCH_SIZE
    checkpoint_rows: int = CHECKPOINT_ROWS
    is_lenient: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read BATCH_SIZE, CHECKPOINT_ROWS, SOURCE_TIMEZONE and INVALID_VALUES.

        Raises:
            ConfigError: with all that is wrong.
        """
        problems: list[str] = []
        options = cls(
            exports=_exports(environ, problems),
            batch_size=_rows(environ, "BATCH_SIZE", BATCH_SIZE, problems),
            checkpoint_rows=_rows(
                environ, "CHECKPOINT_ROWS", CHECKPOINT_ROWS, problems
            ),
            is_lenient=_is_lenient(environ, problems),
        )
        if problems:
            raise ConfigError(*problems)
        return options


def _rows(
    environ: Mapping[str, str], name: str, default: int, problems: list[str]
) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004
    if is_number and 1 <= int(text) <= MOST_ROWS:
        return int(text)
    problems.append(f"{name} is a number of rows from 1 to {MOST_ROWS:,}")
    return default


def _exports(environ: Mapping[str, str], problems: list[str]) -> tuple[Export, ...]:
    name = environ.get("SOURCE_TIMEZONE", "").strip() or "UTC"
    try:
        return catalogue(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(
            "SOURCE_TIMEZONE is the IANA name of a time zone such as America/New_York"
        )
        return (APPOINTMENTS, USERS)


def _is_lenient(environ: Mapping[str, str], problems: list[str]) -> bool:
    choice = environ.get("INVALID_VALUES", "").strip().lower() or "reject"
    if choice not in ("reject", "null"):
        problems.append("INVALID_VALUES is `reject` or `null`")
    return choice == "null"


DEFAULTS = Options()
