"""The options of an import, read from environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from salespro_core.errors import ConfigError
from salespro_core.exports.catalogue import APPOINTMENTS, USERS, catalogue
from salespro_core.exports.columns import Export

BATCH_SIZE = 500
CHECKPOINT_ROWS = 5000
KEEP_CHANGES_DAYS = 30
# Ten years.
MOST_DAYS = 3650
# A chunk is in memory at once, and each batch a second time as array literals.
MOST_ROWS = 100_000
# More rows than any file has; rows times percent fits into the 28 digits of a Decimal.
_COUNT = re.compile(r"[0-9]{1,9}")
_PERCENT = re.compile(r"100(?:\.0{1,9})?|[0-9]{1,2}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of an import; in parentheses the environment variable.

    Attributes:
        exports: the known exports, with the time zone of their timestamps.
        batch_size: records per statement (BATCH_SIZE).
        checkpoint_rows: rows per commit (CHECKPOINT_ROWS).  A commit takes longer than a
            statement; after a crash, uncommitted rows are sent again.
        is_lenient: an invalid optional value is left out with a warning and its row is
            imported, as in the earlier system (INVALID_VALUES=null); otherwise the row is
            rejected.
        max_rejected_rows: a file with more rejects is refused before any row is written
            (MAX_REJECTED_ROWS); None for no limit.
        max_rejected_percent: the same limit in percent of the file's rows, from 0 to 100
            (MAX_REJECTED_PERCENT).
        keep_changes_days: for how long an import can be explained and undone; 0 keeps
            nothing for that (KEEP_CHANGES_DAYS).
        source_timezone: name of the time zone in `exports` (SOURCE_TIMEZONE).
    """

    exports: tuple[Export, ...] = (APPOINTMENTS, USERS)
    batch_size: int = BATCH_SIZE
    checkpoint_rows: int = CHECKPOINT_ROWS
    is_lenient: bool = False
    max_rejected_rows: int | None = None
    max_rejected_percent: Decimal | None = None
    keep_changes_days: int = KEEP_CHANGES_DAYS
    source_timezone: str = "UTC"

    def as_env(self) -> tuple[tuple[str, str], ...]:
        """The options as pairs of variable and value."""
        budget = {
            "MAX_REJECTED_ROWS": self.max_rejected_rows,
            "MAX_REJECTED_PERCENT": self.max_rejected_percent,
        }
        return (
            ("BATCH_SIZE", str(self.batch_size)),
            ("CHECKPOINT_ROWS", str(self.checkpoint_rows)),
            ("SOURCE_TIMEZONE", self.source_timezone),
            ("INVALID_VALUES", "null" if self.is_lenient else "reject"),
            ("KEEP_CHANGES_DAYS", str(self.keep_changes_days)),
            *((name, str(n)) for name, n in budget.items() if n is not None),
        )

    @property
    def keep_changes(self) -> timedelta:
        """How long the changes of an import are kept."""
        return timedelta(days=self.keep_changes_days)

    @property
    def has_budget(self) -> bool:
        """Whether a file has to be validated as a whole before any row is written."""
        return (self.max_rejected_rows, self.max_rejected_percent) != (None, None)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the options from environment variables.

        Raises:
            ConfigError: lists every invalid variable.
        """
        problems: list[str] = []
        options = cls(
            exports=_exports(environ, problems),
            batch_size=_rows(environ, "BATCH_SIZE", BATCH_SIZE, problems),
            checkpoint_rows=_rows(
                environ, "CHECKPOINT_ROWS", CHECKPOINT_ROWS, problems
            ),
            is_lenient=_read_invalid_values(environ, problems),
            max_rejected_rows=_max_rows(environ, problems),
            max_rejected_percent=_max_percent(environ, problems),
            keep_changes_days=_days(environ, problems),
            source_timezone=_timezone(environ),
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
    is_number = text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004 -- fits an integer of Postgres
    if is_number and 1 <= int(text) <= MOST_ROWS:
        return int(text)
    problems.append(f"{name} must be a number of rows from 1 to {MOST_ROWS:,}")
    return default


def _days(environ: Mapping[str, str], problems: list[str]) -> int:
    text = environ.get("KEEP_CHANGES_DAYS", "").strip()
    if not text:
        return KEEP_CHANGES_DAYS
    if _COUNT.fullmatch(text) and int(text) <= MOST_DAYS:
        return int(text)
    problems.append(
        f"KEEP_CHANGES_DAYS must be a number of days from 0 to {MOST_DAYS:,}"
    )
    return KEEP_CHANGES_DAYS


def _exports(environ: Mapping[str, str], problems: list[str]) -> tuple[Export, ...]:
    try:
        return catalogue(ZoneInfo(_timezone(environ)))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(
            "SOURCE_TIMEZONE must be the IANA name of a time zone such as America/New_York"
        )
        return (APPOINTMENTS, USERS)


def _timezone(environ: Mapping[str, str]) -> str:
    return environ.get("SOURCE_TIMEZONE", "").strip() or "UTC"


def _read_invalid_values(environ: Mapping[str, str], problems: list[str]) -> bool:
    choice = environ.get("INVALID_VALUES", "").strip().lower() or "reject"
    if choice not in ("reject", "null"):
        problems.append("INVALID_VALUES must be `reject` or `null`")
    return choice == "null"


def _max_rows(environ: Mapping[str, str], problems: list[str]) -> int | None:
    text = environ.get("MAX_REJECTED_ROWS", "").strip()
    if not text:
        return None
    if _COUNT.fullmatch(text):
        return int(text)
    problems.append("MAX_REJECTED_ROWS must be a number of rows from 0 to 999,999,999")
    return None


def _max_percent(environ: Mapping[str, str], problems: list[str]) -> Decimal | None:
    text = environ.get("MAX_REJECTED_PERCENT", "").strip()
    if not text:
        return None
    if _PERCENT.fullmatch(text):
        return Decimal(text)
    problems.append("MAX_REJECTED_PERCENT must be a number from 0 to 100 such as 2.5")
    return None


DEFAULTS = Options()
