"""Sums over the appointments of a file, in total, by day and by rep."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The appointments with a creation time on one day (UTC).

    Attributes:
        day: `YYYY-MM-DD`.
        revenue: of the sales that have an amount; None if the file has no amounts.
    """

    day: str
    appointments: int
    sales: int
    revenue: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rep:
    """The appointments of one sales rep.

    Attributes:
        email: in lower case.
        name: from one of the first rows of the rep; empty if they have no name.
        revenue: of the sales that have an amount.
    """

    email: str
    name: str
    appointments: int
    sales: int
    revenue: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSummary:
    """Sums over the readable rows of a file; a row that is in it twice counts twice.

    If the file lacks a column, the fields that need it are None or empty.

    Attributes:
        rows: number of readable rows, the total of this summary.
        amounts: number of sales with an amount; `revenue`, `least` and `most` are the
            sum, the minimum and the maximum of these amounts.
        days: in order; only the latest days if the file has very many.
        earlier: number of appointments before these days.
        undated: number of appointments without a creation time.
        reps: the reps with the most sales.
        other_reps: number of reps that are not in `reps`; None if too many to count.
    """

    rows: int
    sales: int | None
    amounts: int | None
    revenue: Decimal | None
    least: Decimal | None
    most: Decimal | None
    days: tuple[Day, ...]
    earlier: int
    undated: int
    reps: tuple[Rep, ...]
    other_reps: int | None

    @property
    def are_reps_exact(self) -> bool:
        """False if counts of reps were dropped, so that `reps` may be too low."""
        return self.other_reps is not None

    @property
    def conversion(self) -> float | None:
        """Sales divided by appointments, from 0 to 1."""
        return self.sales / self.rows if self.rows and self.sales is not None else None

    @property
    def average(self) -> Decimal | None:
        """Revenue per sale that has an amount, to the cent."""
        if not self.amounts or self.revenue is None:
            return None
        return (self.revenue / self.amounts).quantize(_CENT)
