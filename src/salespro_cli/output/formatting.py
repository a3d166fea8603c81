"""Format times, amounts and tables for a terminal."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleDimensions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from salespro_cli.output.terminal import fold, terminal_width
from salespro_core.report.text_report import replace_unprintable

# Width of a terminal, in characters, from which tables show all of their columns.
WIDE_COLUMNS = 80
# Width of tables in a pipe or a file, so that the longest file name stays whole.
PIPE_COLUMNS = 300
_UNLIMITED = 10_000
_GAP = 2  # between columns: their padding, and the box


class _StdoutConsole(Console):
    def on_broken_pipe(self) -> None:
        """Leave the exit code to `main`; rich would exit with 1.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def stdout_console() -> Console:
    """Standard output, without rich's own colours for numbers and paths."""
    console = _StdoutConsole(highlight=False)
    if console.is_dumb_terminal:  # rich takes it for one of 80 columns
        console.size = ConsoleDimensions(terminal_width(sys.stdout), console.height)
    elif not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        console.size = ConsoleDimensions(PIPE_COLUMNS, console.height)
    return console


def safe_text(value: object, style: str = "") -> Text:
    """The value on one line, without control characters; [brackets] are not markup."""
    # Text, not str: rich reads [brackets] in a str as markup.
    return Text(replace_unprintable(str(value)), style)


def folded_text(
    text: str, console: Console, style: str = "", *, indent: int = 0
) -> Text:
    """The text, broken between words in a terminal; longer words stay whole.

    Args:
        text: printed on one line if standard output is not a terminal.
        console: where it is printed, with `soft_wrap`.
        style: of all of it.
        indent: columns in front of it, where its next lines begin.
    """
    line = replace_unprintable(text)
    is_terminal = sys.stdout.isatty()
    lines = fold(line, console.width - indent) if is_terminal else [line]
    return Text(f"\n{' ' * indent}".join(lines), style)


def local_minute(moment: datetime) -> str:
    """The time in the zone of this machine, to the minute."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def local_second(moment: datetime) -> str:
    """The time in the zone of this machine, to the second, with the name of the zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def duration(seconds: float | None) -> str:
    """A duration: `0.42 s`, `12.3 s`, `3 min 05 s`, `2 h 05 min`."""
    if seconds is None:
        return "–"  # noqa: RUF001 -- an en dash for no value
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, left_s = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {left_s:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def amount(value: Decimal | None) -> str:
    """An amount of money, to the cent."""
    return "–" if value is None else f"{value:,.2f}"  # noqa: RUF001


def percent(value: float | None) -> str:
    """A rate in percent, with one decimal."""
    return "–" if value is None else f"{value:.1f} %"  # noqa: RUF001


def build_table(
    rows: Iterable[Mapping[str, RenderableType]],
    console: Console,
    *,
    wide: Sequence[str],
    narrow: Sequence[str],
    title: str = "",
) -> Table:
    """A table with the columns that suit the width of the terminal.

    Args:
        rows: cells by the name of their column.
        console: where the table is printed.
        wide: columns from `WIDE_COLUMNS` characters on, if all words fit; `>name` is a
            column of numbers, `~name` a column that rich may fold or shrink.
        narrow: columns otherwise.
        title: printed above the table, if not empty.
    """
    rows = list(rows)
    if console.width >= WIDE_COLUMNS:
        table = _table(rows, wide, title)
        if _fit(table, console):
            return table
    return _table(rows, narrow, title)


def _fit(table: Table, console: Console) -> bool:
    """Whether all words fit; gives the columns that may fold their widths, in order.

    rich would shrink them all in proportion, also one that has only one long word.
    The last of them is left to rich, which shrinks it by what is missing.
    """
    options = console.options.update(max_width=_UNLIMITED)
    spare = console.width - _GAP * (len(table.columns) - 1)
    folding = []
    for column in table.columns:
        sizes = [
            Measurement.get(console, options, cell)
            for cell in (column.header, *column.cells)
        ]
        minimum = max(size.minimum for size in sizes)
        maximum = max(size.maximum for size in sizes)
        spare -= maximum if column.no_wrap else minimum
        if not column.no_wrap:
            folding.append((column, minimum, maximum))
    for column, minimum, maximum in folding[:-1]:
        column.width = min(maximum, minimum + max(0, spare))
        spare -= column.width - minimum
    return spare >= 0


def _table(
    rows: Iterable[Mapping[str, RenderableType]], columns: Sequence[str], title: str
) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=Text(title, "bold") if title else None,
        title_justify="left",
    )
    for column in columns:
        table.add_column(
            column.lstrip(">~"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=not column.startswith("~"),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[column.lstrip(">~")] for column in columns))
    return table
