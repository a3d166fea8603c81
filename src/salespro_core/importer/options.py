"""How to import, as the environment says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from salespro_core.errors import ConfigError
from salespro_core.exports.catalogue import APPOINTMENTS, USERS, catalogue
from salespro_core.exports.columns import Export

BATCH_SIZE = 5000
CHECKPOINT_ROWS = 5000
# A span of the file is in memory at once, and so is a batch, twice.
MOST_ROWS = 100_000
# No file has so many rows; and rows times percent fit into the 28 digits of a Decimal.
_COUNT = re.compile(r"[0-9]{1,9}")
_PERCENT = re.compile(r"100(?:\.0{1,9})?|[0-9]{1,2}(?:\.[0-9]{1,9})?")


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
        max_rejected_rows: a file with more rejects is refused before anything of it is
            written (MAX_REJECTED_ROWS); None for any number.
        max_rejected_percent: the same, of all rows of the file, from 0 to 100
            (MAX_REJECTED_PERCENT).
        source_timezone: the name of the zone in `exports` (SOURCE_TIMEZONE).
    """

    exports: tuple[Export, ...] = (APPOINTMENTS, USERS)
    batch_size: int = BATCH_SIZE
    checkpoint_rows: int = CHECKPOINT_ROWS
    is_lenient: bool = False
    max_rejected_rows: int | None = None
    max_rejected_percent: Decimal | None = None
    source_timezone: str = "UTC"

    def told(self) -> tuple[tuple[str, str], ...]:
        """What was set, by the names of the variables."""
        budget = {
            "MAX_REJECTED_ROWS": self.max_rejected_rows,
            "MAX_REJECTED_PERCENT": self.max_rejected_percent,
        }
        return (
            ("BATCH_SIZE", str(self.batch_size)),
            ("CHECKPOINT_ROWS", str(self.checkpoint_rows)),
            ("SOURCE_TIMEZONE", self.source_timezone),
            ("INVALID_VALUES", "null" if self.is_lenient else "reject"),
            *((name, str(n)) for name, n in budget.items() if n is not None),
        )

    @property
    def has_budget(self) -> bool:
        """Whether a file has to be validated as a whole before anything is written."""
        return (self.max_rejected_rows, self.max_rejected_percent) != (None, None)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables that are named above, and SOURCE_TIMEZONE.

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
            max_rejected_rows=_max_rows(environ, problems),
            max_rejected_percent=_max_percent(environ, problems),
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
    is_number = text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004
    if is_number and 1 <= int(text) <= MOST_ROWS:
        return int(text)
    problems.append(f"{name} is a number of rows from 1 to {MOST_ROWS:,}")
    return default


def _exports(environ: Mapping[str, str], problems: list[str]) -> tuple[Export, ...]:
    try:
        return catalogue(ZoneInfo(_timezone(environ)))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(
            "SOURCE_TIMEZONE is the IANA name of a time zone such as America/New_York"
        )
        return (APPOINTMENTS, USERS)


def _timezone(environ: Mapping[str, str]) -> str:
    return environ.get("SOURCE_TIMEZONE", "").strip() or "UTC"


def _is_lenient(environ: Mapping[str, str], problems: list[str]) -> bool:
    choice = environ.get("INVALID_VALUES", "").strip().lower() or "reject"
    if choice not in ("reject", "null"):
        problems.append("INVALID_VALUES is `reject` or `null`")
    return choice == "null"


def _max_rows(environ: Mapping[str, str], problems: list[str]) -> int | None:
    text = environ.get("MAX_REJECTED_ROWS", "").strip()
    if not text:
        return None
    if _COUNT.fullmatch(text):
        return int(text)
    problems.append("MAX_REJECTED_ROWS is a number of rows from 0 to 999,999,999")
    return None


def _max_percent(environ: Mapping[str, str], problems: list[str]) -> Decimal | None:
    text = environ.get("MAX_REJECTED_PERCENT", "").strip()
    if not text:
        return None
    if _PERCENT.fullmatch(text):
        return Decimal(text)
    problems.append("MAX_REJECTED_PERCENT is a number from 0 to 100 such as 2.5")
    return None


DEFAULTS = Options()
