"""Blocks split and join."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from salespro_core.csv_reader.block import Block, block_from_rows, concatenate
from salespro_core.csv_reader.row_reader import Row


@given(
    st.lists(st.tuples(st.text("ab"), st.sampled_from([None, "bad"])), min_size=1),
    st.lists(st.integers(1, 5), min_size=1),
)
def test_split_and_concatenated_block_is_unchanged(
    drawn: list[tuple[str, str | None]], sizes: list[int]
) -> None:
    rows = [Row(n, [cell], problem) for n, (cell, problem) in enumerate(drawn)]
    rest: Block | None = block_from_rows(rows)
    parts: list[Block] = []
    for size in sizes:
        if rest is not None:
            part, rest = rest.split(size)
            parts.append(part)
    parts += [rest] if rest is not None else []

    whole = concatenate(parts)

    assert list(whole) == rows
    assert len(whole) == len(rows) == sum(map(len, parts))
    assert [len(part) for part in parts][: len(parts) - 1] == sizes[: len(parts) - 1]


def test_split_after_the_last_row_leaves_nothing() -> None:
    block = block_from_rows([Row(1, ["a"]), Row(2, ["b"])])

    assert block.split(2) == (block, None)


@given(st.integers(0, 20), st.integers(1, 7))
def test_slices_are_all_rows_in_their_order(rows: int, row_count: int) -> None:
    block = block_from_rows([Row(n, [str(n)]) for n in range(rows)])

    slices = list(block.slices(row_count))

    assert [row for part in slices for row in part] == list(block)
    assert all(len(part) == row_count for part in slices[:-1])


def test_row_that_is_too_short_for_the_key_is_sorted_as_a_blank_key() -> None:
    rows = [["x", "b"], ["short"], ["y", "a"], []]

    in_order = Block([2, 3, 4, 5], rows, {1: "damaged"}).sorted_by(1)

    assert in_order.rows == [["short"], [], ["y", "a"], ["x", "b"]]
    assert in_order.line_numbers == [3, 5, 4, 2]
    assert in_order.problems == {0: "damaged"}
