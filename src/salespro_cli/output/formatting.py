"""Times, amounts and tables, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from salespro_core.report.text_report import printable

# Characters to which a column may be folded: the name of an export stays on a line.
_FOLDED_TO = {"file": 22, "rep": 16}
_WORDS_FOLDED_TO = 12
_ANY_WIDTH = 10_000


def console() -> Console:
    """Standard output; nothing that is printed is taken for a number to be coloured."""
    return Console(highlight=False)


def safe(value: object, style: str = "") -> Text:
    """The value as it is, on one line: no [markup] and no control characters."""
    # Text, not str: rich reads [brackets] in a str as markup.
    return Text(printable(str(value)), style)


def when(moment: datetime) -> str:
    """The moment in the zone of this machine, to the minute."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def exactly_when(moment: datetime) -> str:
    """The same to the second, with the zone's name."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def took(seconds: float | None) -> str:
    """How long: `0.42 s`, `12.3 s`, `3 min 05 s`, `2 h 05 min`."""
    if seconds is None:
        return "–"  # noqa: RUF001 -- nothing, as tables have it
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, left_s = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {left_s:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def amount(value: Decimal | None) -> str:
    """Money, to the cent."""
    return "–" if value is None else f"{value:,.2f}"  # noqa: RUF001


def percent(value: float | None) -> str:
    """To a tenth."""
    return "–" if value is None else f"{value:.1f} %"  # noqa: RUF001


def table(*columns: str, title: str = "") -> Table:
    """An empty table; `>name` is a column of numbers, `~name` one that may be folded.

    A cell is a `Text`; see `safe`.
    """
    made = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=Text(title, "bold") if title else None,
        title_justify="left",
    )
    for column in columns:
        name = column.lstrip(">~")
        made.add_column(
            name,
            justify="right" if column.startswith(">") else "left",
            no_wrap=not column.startswith("~"),
            overflow="fold",
        )
    return made


def first_that_fits(on: Console, *ways: Callable[[], Table]) -> Table:
    """The first way to show something for which the terminal is wide enough, or the last.

    The table is folded where it has to be; of several such columns the last one gives in.
    """
    for way in ways:
        made = way()
        widest = {
            place: max(cell_len(str(cell)) for cell in column.cells)
            for place, column in enumerate(made.columns)
            if not column.no_wrap
        }
        least = {
            place: min(
                width,
                _FOLDED_TO.get(str(made.columns[place].header), _WORDS_FOLDED_TO),
            )
            for place, width in widest.items()
        }
        full = Measurement.get(on, on.options.update(width=_ANY_WIDTH), made).maximum
        if full <= on.width:
            return made
        if full - sum(widest.values()) + sum(least.values()) <= on.width:
            for place in [*least][:-1]:
                made.columns[place].width = least[place]
            return made
    return made
