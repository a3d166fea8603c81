"""The settings of a benchmark, such as `make bench ROWS=20000 ONLY=floor,local`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from benchmarks.harness.cases import CASES, Case
from benchmarks.harness.page import PAGE
from benchmarks.loaders import LOADERS, Loader

T = TypeVar("T")

# If one of them is set, the run is partial: its result is printed, not written to the page.
PARTS = (
    *("ROWS", "ONLY", "CASES", "ROUNDS", "LIMIT_S", "STORED", "BUFFERS"),
    *("FILES", "WORKERS"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSettings:
    """What a benchmark measures.

    Attributes:
        rows: rows of the files; each number is a file size (ROWS).
        loaders: the loaders to compare (ONLY).
        cases: the cases to measure (CASES).
        rounds: number of measurements of each loader (ROUNDS).
        limit_s: time limit of a run, in seconds (LIMIT_S).
        stored: rows in the table before, for `make bench-scale` (STORED).
        buffers: `shared_buffers` of Postgres, for `make bench-scale` (BUFFERS); None
            for the default of Postgres.
        files: numbers of files, for `make bench-backlog` (FILES).
        workers: numbers of processes, for `make bench-backlog` (WORKERS).
        page: path of the page to write (PAGE); None for a partial run without PAGE.
    """

    rows: tuple[int, ...]
    loaders: tuple[Loader, ...]
    cases: tuple[Case, ...]
    rounds: int
    limit_s: float
    stored: tuple[int, ...]
    buffers: str | None
    files: tuple[int, ...]
    workers: tuple[int, ...]
    page: Path | None

    @classmethod
    def from_env(
        cls,
        *,
        rows: Sequence[int] = (200_000,),
        loaders: Sequence[Loader] = LOADERS,
        cases: Sequence[Case] = CASES,
        rounds: int = 5,
        limit_s: float = 300,
        stored: Sequence[int] = (),
        buffers: str | None = None,
        files: Sequence[int] = (),
        workers: Sequence[int] = (),
    ) -> Self:
        """Read the environment variables; the arguments are the defaults.

        Raises:
            SystemExit: ONLY or CASES has an unknown name.
        """
        is_partial = any(os.environ.get(name) for name in PARTS)
        page = os.environ.get("PAGE") or (None if is_partial else str(PAGE))
        known_loaders = {loader.name: loader for loader in LOADERS}
        known_cases = {case.name: case for case in CASES}
        return cls(
            rows=tuple(map(int, _list("ROWS", rows))),
            loaders=tuple(
                _known("ONLY", known_loaders, [loader.name for loader in loaders])
            ),
            cases=tuple(_known("CASES", known_cases, [case.name for case in cases])),
            rounds=int(os.environ.get("ROUNDS") or rounds),
            limit_s=float(os.environ.get("LIMIT_S") or limit_s),
            stored=tuple(map(int, _list("STORED", stored))),
            buffers=os.environ.get("BUFFERS") or buffers,
            files=tuple(map(int, _list("FILES", files))),
            workers=tuple(map(int, _list("WORKERS", workers))),
            page=Path(page) if page else None,
        )


def _list(name: str, default: Sequence[object]) -> list[str]:
    given = os.environ.get(name, "")
    return [item.strip() for item in given.split(",") if item.strip()] or [
        str(item) for item in default
    ]


def _known(name: str, known: dict[str, T], default: Sequence[str]) -> list[T]:
    chosen = _list(name, default)
    if unknown := [item for item in chosen if item not in known]:
        sys.exit(
            f"{name}: unknown {', '.join(unknown)}; choose from {', '.join(known)}."
        )
    return [known[item] for item in chosen]
