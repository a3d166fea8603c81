"""What of a benchmark is wanted, as `make bench ROWS=20000 ONLY=floor,local` says it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from benchmarks.cases import CASES, Case
from benchmarks.page import PAGE
from benchmarks.ways import WAYS, Way

T = TypeVar("T")

# Any of them, and it is a part of the benchmark, which is shown and not written down.
PARTS = ("ROWS", "ONLY", "CASES", "ROUNDS", "LIMIT_S", "STORED", "BUFFERS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A benchmark, or a part of it.

    Attributes:
        rows: of the files, one size after the other (ROWS).
        ways: which to compare (ONLY).
        cases: which to measure (CASES).
        rounds: how often each is measured (ROUNDS).
        limit_s: a way that takes longer is stopped (LIMIT_S).
        stored: rows in the table before, for `make bench-scale` (STORED).
        buffers: `shared_buffers` of Postgres, for `make bench-scale` (BUFFERS); None
            leaves them as they come.
        page: where the result goes (PAGE); None for a part, unless it is set.
    """

    rows: tuple[int, ...]
    ways: tuple[Way, ...]
    cases: tuple[Case, ...]
    rounds: int
    limit_s: float
    stored: tuple[int, ...]
    buffers: str | None
    page: Path | None

    @classmethod
    def from_env(
        cls,
        *,
        rows: Sequence[int] = (200_000,),
        ways: Sequence[Way] = WAYS,
        cases: Sequence[Case] = CASES,
        rounds: int = 5,
        limit_s: float = 300,
        stored: Sequence[int] = (),
        buffers: str | None = None,
    ) -> Self:
        """Read the variables; what is not set is as the benchmark has it.

        Raises:
            SystemExit: a way or a case is none that there is.
        """
        is_part = any(os.environ.get(name) for name in PARTS)
        page = os.environ.get("PAGE") or (None if is_part else str(PAGE))
        known_ways = {way.name: way for way in WAYS}
        known_cases = {case.name: case for case in CASES}
        return cls(
            rows=tuple(map(int, _list("ROWS", rows))),
            ways=tuple(_known("ONLY", known_ways, [way.name for way in ways])),
            cases=tuple(_known("CASES", known_cases, [case.name for case in cases])),
            rounds=int(os.environ.get("ROUNDS") or rounds),
            limit_s=float(os.environ.get("LIMIT_S") or limit_s),
            stored=tuple(map(int, _list("STORED", stored))),
            buffers=os.environ.get("BUFFERS") or buffers,
            page=Path(page) if page else None,
        )


def _list(name: str, default: Sequence[object]) -> list[str]:
    given = os.environ.get(name, "")
    return [item.strip() for item in given.split(",") if item.strip()] or [
        str(item) for item in default
    ]


def _known(name: str, known: dict[str, T], default: Sequence[str]) -> list[T]:
    chosen = _list(name, default)
    if strangers := [item for item in chosen if item not in known]:
        sys.exit(f"{name} has {', '.join(strangers)}; there are {', '.join(known)}.")
    return [known[item] for item in chosen]
