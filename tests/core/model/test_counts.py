"""Counts add up, count by count."""

from __future__ import annotations

from dataclasses import asdict, fields

from hypothesis import given
from hypothesis import strategies as st

from salespro_core.model.counts import Counts

NAMES = [field.name for field in fields(Counts)]
counts = st.builds(Counts, **{name: st.integers(0, 1000) for name in NAMES})


def test_counts_are_zero_at_first() -> None:
    assert asdict(Counts()) == dict.fromkeys(NAMES, 0)
    assert Counts().processed == 0


@given(counts, counts)
def test_counts_are_added_and_subtracted_one_by_one(a: Counts, b: Counts) -> None:
    assert asdict(a + b) == {n: getattr(a, n) + getattr(b, n) for n in NAMES}
    assert (a + b) - b == a
    assert (a + b).processed == a.processed + b.processed


@given(counts)
def test_processed_is_the_sum_of_all_counts(drawn: Counts) -> None:
    assert drawn.processed == sum(asdict(drawn).values())
    assert drawn.of_file.keys() == set(NAMES) - {"deleted", "left"}
