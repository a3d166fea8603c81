"""Array literals equal the arrays that psycopg sends."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql

from salespro_core.csv_reader.header import read_header
from salespro_core.exports.catalogue import APPOINTMENTS, USERS
from salespro_core.exports.column_types import BOOLEAN, DATE, instant, money
from salespro_core.exports.columns import Export
from salespro_core.model.rejects import Record
from salespro_core.records.array_literals import array_literal
from tests.support.builders import read_items, read_rows

# The fixture's database is shared by the examples, which store nothing.
postgres_settings = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_back(conn: Connection, values: Sequence[str | None]) -> list[str | None]:
    """Send these texts as the importer does; return what Postgres reads."""
    row = conn.execute(
        "SELECT array_agg(value ORDER BY position)"
        " FROM unnest(%s::varchar[]) WITH ORDINALITY AS sent (value, position)",
        [array_literal(values, is_text=True)],
    ).fetchone()
    assert row is not None
    texts_read: list[str | None] = row[0] or []
    return texts_read


@pytest.mark.parametrize(
    ("values", "literal"),
    [
        pytest.param([], "{}", id="empty"),
        pytest.param(["a", "b"], '{"a","b"}', id="plain"),
        pytest.param([None], "{NULL}", id="null"),
        pytest.param(["NULL", "null"], '{"NULL","null"}', id="text-that-reads-null"),
        pytest.param([""], '{""}', id="empty-text"),
        pytest.param([" a "], '{" a "}', id="space"),
        pytest.param(["a,b", "{c}"], '{"a,b","{c}"}', id="comma-and-braces"),
        pytest.param(['"'], r'{"\""}', id="quote"),
        pytest.param(["\\"], r'{"\\"}', id="backslash"),
        pytest.param(['\\"'], r'{"\\\""}', id="backslash-and-quote"),
        pytest.param(["\\n"], r'{"\\n"}', id="backslash-and-letter"),
        pytest.param(["a\r\nb"], '{"a\r\nb"}', id="line-break"),
        pytest.param(
            ["'; DROP TABLE x --"], '{"\'; DROP TABLE x --"}', id="apostrophe"
        ),
        pytest.param(["%s", "$1"], '{"%s","$1"}', id="placeholders"),
        pytest.param(["\N{PILE OF POO}"], '{"\N{PILE OF POO}"}', id="unicode"),
    ],
)
def test_text_is_quoted_so_that_postgres_reads_it_back(
    conn: Connection, values: list[str | None], literal: str
) -> None:
    assert array_literal(values, is_text=True) == literal
    assert read_back(conn, values) == values


def test_text_with_nul_raises_value_error() -> None:
    """The literal is built with NUL as a separator."""
    with pytest.raises(ValueError, match="a value contains a NUL"):
        array_literal(["a\0b", '"'], is_text=True)


# Text in Postgres has neither NUL nor lone surrogates; the parser rejects both.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
awkward = st.text("\\\"{},'NULnul %$\r\n\t", max_size=8)


@postgres_settings
@given(values=st.lists(st.none() | texts | awkward, max_size=30))
@example(values=[])
@example(values=[None])
@example(values=["", None, "NULL"])
@example(values=["\\", '"', '\\"', '"\\'])
def test_literals_of_text_equal_the_arrays_of_psycopg(
    conn: Connection, values: list[str | None]
) -> None:
    row = conn.execute(
        "SELECT %s::varchar[], %s::varchar[] IS NOT DISTINCT FROM %s::varchar[]",
        [
            array_literal(values, is_text=True),
            array_literal(values, is_text=True),
            values,
        ],
    ).fetchone()

    assert row == (values, True)


# A year that begins with a zero is rejected as shortened, except in 0001-01-01.
dates = st.dates(min_value=date(1000, 1, 1)) | st.just(date(1, 1, 1))


@postgres_settings
@given(
    moments=st.lists(st.none() | st.datetimes(timezones=st.just(UTC))),
    amounts=st.lists(st.none() | st.decimals("-9999999999.99", "9999999999.99", places=2)),
    days=st.lists(st.none() | dates),
    truths=st.lists(st.none() | st.booleans()),
)  # fmt: skip
@example(moments=[], amounts=[None], days=[None, None], truths=[])
def test_literals_of_other_types_equal_the_arrays_of_psycopg(
    conn: Connection,
    moments: list[datetime | None],
    amounts: list[Decimal | None],
    days: list[date | None],
    truths: list[bool | None],
) -> None:
    """Values as the cells of a file give them; none needs quotes."""
    sent: dict[str, str] = {}
    for name, column_type, values in (
        ("moments", instant(), [None if m is None else m.isoformat() for m in moments]),
        ("amounts", money(12, 2), [None if a is None else f"{a:f}" for a in amounts]),
        ("days", DATE, [None if d is None else f"{d:%m/%d/}{d.year:04}" for d in days]),
        ("truths", BOOLEAN, [None if t is None else str(t) for t in truths]),
    ):
        cells = [
            None if value is None else column_type.parse(value) for value in values
        ]
        sent[name] = array_literal(cells, is_text=column_type.is_text)

    row = conn.execute(
        """
        SELECT %(moments)s::timestamptz[] IS NOT DISTINCT FROM %(m)s::timestamptz[],
               %(amounts)s::numeric[]     IS NOT DISTINCT FROM %(a)s::numeric[],
               %(days)s::date[]           IS NOT DISTINCT FROM %(d)s::date[],
               %(truths)s::boolean[]      IS NOT DISTINCT FROM %(t)s::boolean[]
        """,
        sent | {"m": moments, "a": amounts, "d": days, "t": truths},
    ).fetchone()

    assert row == (True, True, True, True)


def test_naughty_strings_are_read_back_unchanged(
    conn: Connection, corpus: Path | None
) -> None:
    """Also after reading them from a file."""
    if corpus is None:
        pytest.skip("the corpus is not next to this checkout")
    strings: list[str] = json.loads((corpus / "blns" / "blns.json").read_bytes())
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["_id", "resultFullString"], *(["A", s] for s in strings)])  # fmt: skip

    rows = read_rows(io.BytesIO(file.getvalue().encode()))
    layout = read_header(next(rows).cells, (APPOINTMENTS,))
    items = read_items(layout, rows)
    cells = [item.values[1] for item in items if isinstance(item, Record)]

    assert len(strings) > 500
    assert cells == [None if not s.strip() else s for s in strings]
    assert read_back(conn, cells) == cells


edges = st.sampled_from(
    [
        "",
        "TRUE",
        "no",
        "06/18/2025",
        "2025-06-06 00:16:45",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31",
        "9999999999.99",
        "-$99,999,999.99",
        "12.500",
        "-0",
        *("x" * length for length in (50, 51, 100, 101, 254, 255, 256)),
        "\N{PILE OF POO}" * 100,
        "x" * 200 + f"( {'y' * 50} )",
        "NULL",
        "\\",
        '"{}',
        "now",
        "NaN",
        "\0",
    ]
)


@pytest.mark.parametrize("export", [APPOINTMENTS, USERS], ids=["appointments", "users"])
@postgres_settings
@given(data=st.data())
def test_values_of_any_record_fit_its_table(
    conn: Connection, export: Export, data: st.DataObject
) -> None:
    """A value that Postgres refuses would fail the whole batch."""
    labels = list(dict.fromkeys(column.labels[0] for column in export.columns))
    cells = st.lists(edges | texts, min_size=len(labels) - 1, max_size=len(labels) - 1)
    table = data.draw(st.lists(cells, min_size=1, max_size=5))
    file = io.StringIO(newline="")
    csv.writer(file).writerows([labels, *([f"{n:050}", *row] for n, row in enumerate(table))])  # fmt: skip

    rows = read_rows(io.BytesIO(file.getvalue().encode()))
    layout = read_header(next(rows).cells, (export,))
    records = [
        item
        for item in read_items(layout, rows, is_lenient=True)
        if isinstance(item, Record)
    ]
    columns = list(zip(*(record.values for record in records), strict=True))
    statement = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({})").format(
        sql.Identifier(export.table),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in layout.columns),
        sql.SQL(", ").join(
            sql.SQL("%s::{}[]").format(sql.SQL(c.column_type.sql))
            for c in layout.columns
        ),
    )
    with conn.transaction(force_rollback=True):
        inserted = conn.execute(
            statement,
            [
                array_literal(values, is_text=column.column_type.is_text)
                for column, values in zip(layout.columns, columns, strict=True)
            ],
        ).rowcount

    assert inserted == len(records) == len(table)
