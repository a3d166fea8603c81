"""A file in spans, a span in batches: the newest of each key, sorted, counted once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count, islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import appointment, csv_bytes, user
from salespro_core import batches
from salespro_core.batches import Batch, Span, spans
from salespro_core.exports import APPOINTMENTS, USERS
from salespro_core.header import Layout, read_header
from salespro_core.records import Record, Reject, read_records
from salespro_core.rows import read_rows

BAD = "NaN"  # as an amount


def read(body: bytes, *, is_lenient: bool = False) -> tuple[Layout, Iterator[Record | Reject]]:  # fmt: skip
    rows = read_rows(io.BytesIO(body))
    layout = read_header(next(rows).cells, (APPOINTMENTS, USERS))
    return layout, read_records(layout, rows, is_lenient=is_lenient)


def cut(
    *rows: dict[str, str],
    checkpoint_rows: int = 100,
    batch_size: int = 100,
    is_lenient: bool = False,
) -> list[Span]:
    layout, items = read(csv_bytes(*rows), is_lenient=is_lenient)
    return list(
        spans(layout, items, checkpoint_rows=checkpoint_rows, batch_size=batch_size)
    )


def sent(span: Span) -> list[list[tuple[str | None, int]]]:
    """Key and line of each record that is sent, by batch."""
    return [[(r.values[0], r.line) for r in batch.records] for batch in span.batches]


def test_a_span_sends_its_records_in_the_order_of_their_keys() -> None:
    layout, items = read(
        csv_bytes(appointment("B"), appointment("a"), appointment("A"))
    )
    b, a, capital_a = items

    [span] = spans(layout, [b, a, capital_a], checkpoint_rows=9, batch_size=9)

    assert isinstance(a, Record)
    assert isinstance(b, Record)
    assert isinstance(capital_a, Record)
    assert span == Span(
        rows=3, batches=(Batch((capital_a, b, a)),), duplicate=0, rejected=0
    )


def test_records_are_sorted_across_all_batches_of_a_span() -> None:
    """Sorted only inside each batch, concurrent imports deadlock."""
    [span] = cut(*(appointment(key) for key in "FBDAEC"), batch_size=2)

    assert sent(span) == [[("A", 5), ("B", 3)], [("C", 7), ("D", 4)], [("E", 6), ("F", 2)]]  # fmt: skip


def test_a_span_is_so_many_rows_of_the_file_whatever_becomes_of_them() -> None:
    """The checkpoint counts rows of the file: an attempt that takes over skips as many."""
    found = cut(
        appointment("A"),
        appointment("B", saleAmount=BAD),
        appointment("A"),
        appointment("C"),
        appointment("", saleAmount="1"),
        checkpoint_rows=3,
    )

    assert [(s.rows, s.duplicate, s.rejected) for s in found] == [(3, 1, 1), (2, 0, 1)]
    assert [sent(span) for span in found] == [[[("A", 4)]], [[("C", 5)]]]


@pytest.mark.parametrize(
    ("rows", "checkpoint_rows", "batch_size", "sizes"),
    [
        pytest.param(7, 100, 3, [[3, 3, 1]], id="last-batch-is-shorter"),
        pytest.param(7, 3, 100, [[3], [3], [1]], id="last-span-is-shorter"),
        pytest.param(7, 5, 2, [[2, 2, 1], [2]], id="batches-end-with-their-span"),
        pytest.param(6, 3, 3, [[3], [3]], id="no-empty-span-at-the-end"),
        pytest.param(3, 1, 1, [[1], [1], [1]], id="one-by-one"),
    ],
)
def test_spans_and_batches_are_as_large_as_asked(
    rows: int, checkpoint_rows: int, batch_size: int, sizes: list[list[int]]
) -> None:
    found = cut(
        *(appointment(f"A-{n}") for n in range(rows)),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
    )

    assert [[len(batch.records) for batch in s.batches] for s in found] == sizes


def test_a_file_without_rows_has_no_spans() -> None:
    layout, _ = read(b"_id\n")

    assert list(spans(layout, [], checkpoint_rows=3, batch_size=3)) == []


def test_a_span_may_have_rejects_only() -> None:
    [span] = cut(appointment(saleAmount=BAD), appointment(saleAmount=BAD))

    assert span == Span(rows=2, batches=(), duplicate=0, rejected=2)


def test_a_span_is_cut_before_the_next_is_read() -> None:
    """A file may have millions of rows."""
    layout, _ = read(b"_id\n")
    lines = count(2)
    endless = (Record(line, (f"A-{line}",)) for line in lines)

    first, second = islice(spans(layout, endless, checkpoint_rows=3, batch_size=3), 2)

    assert (first.rows, second.rows) == (3, 3)
    assert next(lines) == 8


MORNING = "2025-06-07T10:00:00.000Z"
NOON = "2025-06-07T12:00:00.000Z"


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        pytest.param(MORNING, NOON, 3, id="newer-comes-later"),
        pytest.param(NOON, MORNING, 2, id="newer-comes-first"),
        pytest.param(NOON, NOON, 3, id="equal"),
        pytest.param(NOON, "", 2, id="second-has-no-timestamp"),
        pytest.param("", MORNING, 3, id="first-has-no-timestamp"),
        pytest.param("", "", 3, id="neither-has-a-timestamp"),
        pytest.param("", "0001-01-01T00:00:00Z", 3, id="any-timestamp-beats-none"),
        pytest.param("0001-01-01T00:00:00Z", "", 2, id="none-is-not-the-first-moment"),
        pytest.param("2025-06-07T13:30:00+02:00", NOON, 3, id="moments-not-texts"),
        pytest.param("2025-06-07 12:00:00", NOON, 3, id="equal-in-another-form"),
        pytest.param("2025-06-07T12:00:00.5Z", "2025-06-07T12:00:00.49Z", 2, id="fractions"),
        pytest.param("9999-06-07T12:00:00.000001Z", "9999-06-07T12:00:00Z", 2, id="microsecond-of-a-far-year"),
    ],
)  # fmt: skip
def test_of_two_records_of_one_key_the_newer_is_sent_or_else_the_later(
    first: str, second: str, line: int
) -> None:
    """One statement cannot touch a row twice; and the order of rows says nothing."""
    [span] = cut(
        appointment("A", _updated_at=first), appointment("A", _updated_at=second)
    )

    assert sent(span) == [[("A", line)]]
    assert (span.rows, span.duplicate, span.rejected) == (2, 1, 0)


def test_of_many_records_of_one_key_the_newest_is_sent() -> None:
    times = (MORNING, "", NOON, MORNING, NOON, "", MORNING)

    [span] = cut(*(appointment("A", _updated_at=time) for time in times))

    assert sent(span) == [[("A", 6)]]
    assert span.duplicate == 6


def test_a_timestamp_that_was_left_out_does_not_count() -> None:
    [span] = cut(
        appointment("A", _updated_at=MORNING),
        appointment("A", _updated_at="invalid_date"),
        is_lenient=True,
    )

    assert sent(span) == [[("A", 2)]]


def test_a_file_without_timestamps_sends_the_later_record() -> None:
    """A users export never has one."""
    [users] = cut(
        user("U", Last_Login="2025-06-18"), user("U", Last_Login="2025-06-01")
    )
    layout, items = read(b"_id,isSale\nA,TRUE\nA,FALSE\n")
    [appointments] = spans(layout, items, checkpoint_rows=9, batch_size=9)

    assert sent(users) == [[("U", 3)]]
    assert sent(appointments) == [[("A", 3)]]


def test_keys_that_differ_in_case_are_two_keys() -> None:
    [span] = cut(appointment("abc"), appointment("ABC"), appointment(" abc "))

    assert sent(span) == [[("ABC", 3), ("abc", 4)]]


def test_records_of_one_key_in_two_spans_are_both_sent() -> None:
    """The table decides between them; memory does not grow with the file."""
    found = cut(
        appointment("A", _updated_at=NOON),
        appointment("A", _updated_at=MORNING),
        checkpoint_rows=1,
    )

    assert [sent(span) for span in found] == [[[("A", 2)]], [[("A", 3)]]]
    assert [span.duplicate for span in found] == [0, 0]


def test_a_batch_holds_records_that_leave_out_the_same_columns() -> None:
    """A statement names its columns, and what is left out is not to be written."""
    [span] = cut(
        appointment("C"),
        appointment("A"),
        appointment("B", saleAmount=BAD),
        appointment("E", saleAmount=BAD),
        appointment("D", saleAmount=BAD, isSale="perhaps"),
        appointment("F", saleAmount=BAD),
        is_lenient=True,
    )

    assert sent(span) == [[("A", 3), ("C", 2)], [("D", 6)], [("B", 4), ("E", 5), ("F", 7)]]  # fmt: skip
    assert [batch.omitted for batch in span.batches] == [(), (3, 11), (11,)]


drawn_rows = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from([None, "2025-06-07 10:00", "2025-06-07 11:00"]),
        st.sampled_from(["1", BAD]),
        st.sampled_from(["TRUE", "x"]),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=200)
@given(drawn_rows, st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_every_row_is_in_one_span_and_sent_once_or_counted_once(
    drawn: list[tuple[str, str | None, str, str]],
    checkpoint_rows: int,
    batch_size: int,
    is_lenient: bool,  # noqa: FBT001 -- drawn
) -> None:
    found = cut(
        appointment("", saleAmount=BAD),
        *(
            appointment(key, _updated_at=f"{time}:00Z" if time else "", saleAmount=amount, isSale=sale)
            for key, time, amount, sale in drawn
        ),
        checkpoint_rows=checkpoint_rows,
        batch_size=batch_size,
        is_lenient=is_lenient,
    )  # fmt: skip

    rows = [("", None, BAD, "x"), *drawn]
    for n, span in enumerate(found):
        best: dict[str, tuple[str, int]] = {}
        good = 0
        part = list(enumerate(rows, start=2))[n * checkpoint_rows :][:checkpoint_rows]
        for line, (key, time, amount, sale) in part:
            if key and (is_lenient or (amount != BAD and sale != "x")):
                good += 1
                best[key] = max(best.get(key, ("", 0)), (time or "", line))
        newest = [(key, best[key][1]) for key in sorted(best)]
        assert sorted(it for batch in sent(span) for it in batch) == newest
        assert all(batch == sorted(batch) for batch in sent(span))
        assert span.rows == len(part)
        assert span.duplicate == good - len(newest)
        assert span.rejected == len(part) - good
        assert all(r.omitted == b.omitted for b in span.batches for r in b.records)
        assert all(1 <= len(batch.records) <= batch_size for batch in span.batches)
        assert all(
            len(a.records) == batch_size or a.omitted != b.omitted
            for a, b in pairwise(span.batches)
        )
    assert sum(span.rows for span in found) == len(rows)


@pytest.mark.parametrize("checkpoint_rows", [1, 5])
def test_a_value_that_could_not_be_read_is_that_of_the_older_duplicate(
    checkpoint_rows: int,
) -> None:
    """What is stored must not depend on where a span of the file ends."""
    found = cut(
        appointment("A", _updated_at="2025-06-07T10:00:00Z", saleAmount="100"),
        appointment("A", _updated_at="2025-06-07T11:00:00Z", saleAmount=BAD),
        checkpoint_rows=checkpoint_rows,
        is_lenient=True,
    )

    [last] = found[-1].batches[-1].records
    is_alone = checkpoint_rows == 1
    assert last.line == 3
    assert last.values[11] == (None if is_alone else "100.0")
    assert last.omitted == ((11,) if is_alone else ())


def test_a_span_of_very_large_rows_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are in memory until their commit, and a cell may have megabytes."""
    monkeypatch.setattr(batches, "SPAN_CHARACTERS", 1000)
    large = [appointment(f"{n}", resultFullString="x" * 400) for n in range(7)]

    assert [span.rows for span in cut(*large)] == [2, 2, 2, 1]
