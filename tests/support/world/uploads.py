"""Test uploads: rows with personal data in every text cell, and their import state."""

from __future__ import annotations

from dataclasses import dataclass, field

from salespro_core.model.counts import Counts
from tests.support.builders import CANARY, appointment, user
from tests.support.world.model import Row, Values

# Settings of the function in these tests: a file of 44 rows has several chunks.
CHECKPOINT_ROWS = 20
BATCH_SIZE = 7
DAYS = [f"2025-06-{day:02}T00:00:00Z" for day in range(1, 29)]
BAD_AMOUNT = "a lot"

# Of each row: its key, its timestamp and its amount, as texts in a file.
Rows = list[tuple[str, str, str]]


@dataclass(eq=False)
class TrackedUpload:
    """An object in the upload bucket, with the state of its import.

    Attributes:
        version: the version id, or the ETag in a bucket without versions.
        rows: all rows of the file, as the model reads them.
        counts: the model's counts of the committed rows.
        is_acknowledged: the queue has deleted the message; until then it redelivers it.
        is_refused: the whole file is at fault; the history row must say `failed`.
        is_gone: the object was deleted or replaced before the function read it.
        deliveries: how often the message was delivered so far.
    """

    bucket: str
    key: str
    version: str
    rows: list[Row]
    counts: Counts = field(default_factory=Counts)
    is_acknowledged: bool = False
    is_refused: bool = False
    is_gone: bool = False
    is_versioned: bool = True
    deliveries: int = 0


def rows(count: int, *, bad: int | None = None, day: int = 0, amount: int = 1) -> Rows:
    """Return `count` appointments of one day and amount.

    Args:
        bad: index of the row whose amount cannot be read; None for no such row.
        day: index in `DAYS`.
    """
    return [
        (f"A-{i:03}", DAYS[day], BAD_AMOUNT if i == bad else f"{amount}.00")
        for i in range(count)
    ]


def cells(row: tuple[str, str, str], *, of_users: bool) -> dict[str, str]:
    """Return the cells of a row by label; every personal text is the canary."""
    key, time_, amount = row
    if of_users:
        names = {"First_Name": CANARY, "Last_Name": CANARY, "Email": f"{CANARY}@x.org"}
        return user(key, Username=CANARY, Additional_Amount=amount, **names)
    return appointment(
        key,
        _updated_at=time_,
        saleAmount=amount,
        resultFullString=f"Called {CANARY}",
        customer_nameLast=CANARY,
        customer_nameFirst=CANARY,
        customer_estimateName=CANARY,
        salesrep_email=f"{CANARY}@example.com",
        salesrep_nameFirst=CANARY,
        salesrep_nameLast=CANARY,
    )


def model_row(row: tuple[str, str, str], uploaded_at: str | None) -> Row:
    """Return a row as the model reads it.

    Args:
        uploaded_at: the version of a row of users; None for an appointment, whose
            version is its own timestamp.
    """
    key, time_, amount = row
    # An unreadable amount is the only kind of bad cell in these files.
    is_good = amount.replace(".", "").isdigit()
    values: Values = {"amount": amount}
    if not uploaded_at:
        values = {"time": time_ or None, "amount": amount}
    return Row(key, uploaded_at or time_, values if is_good else None)
