"""What a file holds: its appointments by day and by rep."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The appointments that were made on one day (UTC).

    Attributes:
        day: `YYYY-MM-DD`.
        revenue: of the sales that carry an amount; None if the file has no amounts.
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
        name: as one of the first rows has it; empty if none has.
        revenue: of the sales that carry an amount.
    """

    email: str
    name: str
    appointments: int
    sales: int
    revenue: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSummary:
    """The appointments of a file, as far as they can be read.

    A row that comes twice counts twice.  What the file has no column for is None, or
    empty.

    Attributes:
        rows: that are counted here: all but those that cannot be read.
        amounts: sales that carry an amount; revenue, least and most are theirs alone.
        days: in order; if there are very many, the latest.
        earlier: appointments of the days before those.
        undated: appointments that say no day.
        reps: those with the most sales.
        other_reps: how many more there are; None if there were too many to count.
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
        """Whether nothing of the reps was forgotten; if not, they may have more."""
        return self.other_reps is not None

    @property
    def conversion(self) -> float | None:
        """The part of the appointments that are sales, from 0 to 1."""
        return self.sales / self.rows if self.rows and self.sales is not None else None

    @property
    def average(self) -> Decimal | None:
        """Revenue per sale that carries an amount, to the cent."""
        if not self.amounts or self.revenue is None:
            return None
        return (self.revenue / self.amounts).quantize(_CENT)
