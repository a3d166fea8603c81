"""Sample rows as dictionaries, for the tests of the generator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from salespro_cli.sample_data.generator import (
    APPOINTMENT_LABELS,
    USER_LABELS,
    appointments,
    users,
)

seeds = pytest.mark.parametrize("seed", [0, 1, 2025, -7])


def sample(rows: int, seed: int) -> list[dict[str, str]]:
    """Rows of an appointments export, as label -> cell."""
    return _as_dicts(APPOINTMENT_LABELS, appointments(rows, seed))


def user_sample(rows: int, seed: int) -> list[dict[str, str]]:
    """Rows of a users export, as label -> cell."""
    return _as_dicts(USER_LABELS, users(rows, seed))


def _as_dicts(
    labels: tuple[str, ...], rows: Iterator[list[str]]
) -> list[dict[str, str]]:
    return [dict(zip(labels, row, strict=True)) for row in rows]
