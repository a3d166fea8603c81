"""Sums over a file's rows while they pass, in bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import compress
from operator import itemgetter
from typing import cast

from salespro_core.csv_reader.header import Layout
from salespro_core.exports.catalogue import APPOINTMENTS
from salespro_core.model.file_summary import Day, FileSummary, Rep
from salespro_core.records.parser import ParsedRows, Values

# Bounds of the memory: the latest days and the reps with the most sales are kept.
MOST_DAYS = 400
MOST_REPS = 2_000
SHOWN_REPS = 10

_day = itemgetter(slice(len("2025-06-18")))
_ZERO = Decimal(0)


class FileSummaryBuilder:
    """Adds up the rows of one appointments export; other exports have no summary."""

    def __init__(self, layout: Layout) -> None:
        self._has_summary = layout.export.sync_type == APPOINTMENTS.sync_type
        self._column_indexes = {
            column.name: index for index, column in enumerate(layout.columns)
        }
        self._rows = self._sales = self._amounts = 0
        self._revenue = _ZERO
        self._range: tuple[Decimal, ...] = ()
        # None is a blank cell.
        self._days: Counter[str | None] = Counter()
        self._sales_of_days: Counter[str | None] = Counter()
        self._revenue_of_days: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        self._earlier = 0
        self._reps: Counter[str | None] = Counter()
        self._sales_of_reps: Counter[str | None] = Counter()
        self._revenue_of_reps: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        self._names: dict[str | None, str] = {}
        self._has_trimmed_reps = False

    def add(self, part: ParsedRows) -> None:
        """Count the records of some more rows."""
        if not self._has_summary:
            return
        if part.lines:
            self._add(part.columns, len(part.lines))
        if part.lenient:
            values = (record.values for record in part.lenient)
            self._add(list(zip(*values, strict=True)), len(part.lenient))
        # Trimming at twice the limit, it is not needed for every part.
        if len(self._days) > 2 * MOST_DAYS:
            self._trim_days()
        if len(self._reps) > 2 * MOST_REPS:
            self._trim_reps()

    def build(self) -> FileSummary | None:
        """The summary so far; None for other exports."""
        if not self._has_summary:
            return None
        self._trim_days()
        reps, rep_count = self._ranked()
        other_reps = None if self._has_trimmed_reps else rep_count - len(reps)
        has_sales = "is_sale" in self._column_indexes
        has_amounts = has_sales and "sale_amount" in self._column_indexes
        return FileSummary(
            rows=self._rows,
            sales=self._sales if has_sales else None,
            amounts=self._amounts if has_amounts else None,
            revenue=self._revenue if has_amounts else None,
            least=min(self._range, default=None),
            most=max(self._range, default=None),
            days=tuple(
                Day(
                    day=day,
                    appointments=rows,
                    sales=self._sales_of_days[day],
                    revenue=self._revenue_of_days.get(day, _ZERO)
                    if has_amounts
                    else None,
                )
                for day, rows in sorted(_known(self._days))
            ),
            earlier=self._earlier,
            undated=self._days[None] if "created_at" in self._column_indexes else 0,
            reps=reps,
            other_reps=other_reps,
        )

    def _add(self, columns: Sequence[Values], rows: int) -> None:
        blank: Values = (None,) * rows
        made, is_sale, emails, amounts = (
            columns[self._column_indexes[name]]
            if name in self._column_indexes
            else blank
            for name in ("created_at", "is_sale", "salesrep_email", "sale_amount")
        )
        self._rows += rows
        days = list(_days(made))
        self._days.update(days)
        self._reps.update(emails)
        self._note_names(columns, emails)
        are_sold = [value == "t" for value in is_sale]
        self._sales += are_sold.count(True)
        days = list(compress(days, are_sold))
        self._sales_of_days.update(days)
        sellers = list(compress(emails, are_sold))
        self._sales_of_reps.update(sellers)
        self._add_amounts(list(compress(amounts, are_sold)), sellers, days)

    def _add_amounts(self, amounts: Values, sellers: Values, days: Values) -> None:
        """Add the amounts of some sales; many sales have no amount."""
        some = list(map(Decimal, cast("Iterable[str]", filter(None, amounts))))
        if not some:
            return
        self._amounts += len(some)
        self._revenue += sum(some)
        ends = (min(some), max(some), *self._range)
        self._range = min(ends), max(ends)
        sold = zip(
            some, compress(sellers, amounts), compress(days, amounts), strict=True
        )
        for amount, seller, day in sold:
            self._revenue_of_reps[seller] += amount
            self._revenue_of_days[day] += amount

    def _note_names(self, columns: Sequence[Values], emails: Values) -> None:
        """Keep the first name that the file has for each rep."""
        missing = self._reps.keys() - self._names.keys()
        missing = missing and missing.intersection(filter(None, emails))
        indexes = [
            self._column_indexes[name]
            for name in ("salesrep_first_name", "salesrep_last_name")
            if name in self._column_indexes
        ]
        names = zip(*(columns[index] for index in indexes), strict=True)
        for email, parts in zip(emails, names, strict=bool(indexes)):
            if not missing:
                break
            if email in missing and (name := " ".join(filter(None, parts))):
                missing.remove(email)
                self._names[email] = name

    def _trim_days(self) -> None:
        for day, rows in sorted(_known(self._days))[:-MOST_DAYS]:
            self._earlier += rows
            del self._days[day], self._sales_of_days[day]
            self._revenue_of_days.pop(day, None)

    def _trim_reps(self) -> None:
        ranked = sorted(self._reps, key=lambda rep: (-self._sales_of_reps[rep], -self._reps[rep]))  # fmt: skip
        for rep in ranked[MOST_REPS:]:
            for known in (self._reps, self._sales_of_reps, self._revenue_of_reps, self._names):  # fmt: skip
                known.pop(rep, None)
        self._has_trimmed_reps = True

    def _ranked(self) -> tuple[tuple[Rep, ...], int]:
        """The first reps with an email, and the number of all of them.

        Emails that differ only in case are one rep.
        """
        # Negative, so that they are sorted like the email: the most sales first.
        totals: dict[str, tuple[int, Decimal, int]] = {}
        names: dict[str, str] = {}
        for email, appointments in _known(self._reps):
            key = email.strip().lower()
            sales, revenue, rows = totals.get(key, (0, _ZERO, 0))
            totals[key] = (
                sales - self._sales_of_reps.get(email, 0),
                revenue - self._revenue_of_reps.get(email, _ZERO),
                rows - appointments,
            )
            if name := self._names.get(email):
                names.setdefault(key, name)
        ranked = sorted((total, key) for key, total in totals.items())
        reps = tuple(
            Rep(
                email=key,
                name=names.get(key, ""),
                appointments=-rows,
                sales=-sales,
                revenue=-revenue,
            )
            for (sales, revenue, rows), key in ranked[:SHOWN_REPS]
        )
        return reps, len(ranked)


def _known(counter: Counter[str | None]) -> Iterator[tuple[str, int]]:
    return ((key, rows) for key, rows in counter.items() if key is not None)


def _days(instants: Values) -> Iterable[str | None]:
    """The day (UTC) of each instant: its first ten characters."""
    if all(instants):
        return map(_day, cast("Sequence[str]", instants))
    return [instant and _day(instant) for instant in instants]
