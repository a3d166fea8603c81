"""Sample exports of any size: invented people, the shape and proportions of real files.

Rows are generated one at a time, so memory does not grow with the file. The same number of
rows and the same seed give the same bytes. The sales reps are the same for every seed: any
sample of users joins to any sample of appointments.
"""

import csv
import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from gzip import GzipFile
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from random import Random
from typing import Final, Literal, TextIO

from salespro_cli.sample_data import vocabulary

SampleKind = Literal["appointments", "users"]

# fmt: off
APPOINTMENT_LABELS: Final = (
    "_id", "_created_at", "_updated_at", "isSale", "resultFullString",
    "customer.nameLast", "customer.nameFirst", "customer.estimateName",
    "salesrep.email", "salesrep.nameFirst", "salesrep.nameLast", "saleAmount",
)
USER_LABELS: Final = (
    "User Object ID", "First Name", "Last Name", "Username", "Email", "Last Login",
    "Active/Inactive", "Send Credit Apps", "Search Other Users Estimates",
    "Assigned Office", "License Number", "Additional Amount", "Unique Identifier",
    "Job Representative ID",
)
# fmt: on

# Source: SalesPro2025-06-18.csv and Combined_Active_Users.csv of production.
PRODUCTION_ROWS: Final[dict[SampleKind, int]] = {"appointments": 2374, "users": 254}
_SALES, _AMOUNTS, _REVENUE_CENTS = 530, 378, 878_664_334
_FIRST_DAY, _DAYS = datetime(2025, 6, 6, tzinfo=UTC), 11
_MS, _HOUR_MS = timedelta(milliseconds=1), 3_600_000
# From 3:00 to 12:00 UTC it is night in America: no appointment is created.
_NIGHTFALL_MS, _NIGHT_MS = 3 * _HOUR_MS, 9 * _HOUR_MS
_EXPORTED_AT = datetime(2025, 6, 18, 11, 5, tzinfo=UTC)

_LEAST_CENTS, _MOST_CENTS = 3_000_00, 90_000_00
_NO_SALE = (*["FALSE"] * 60, "false", "")
_LOGIN_FORMS = (*["%m/%d/%Y"] * 14, *["%Y-%m-%d", "%m-%d-%Y", "%Y/%m/%d"] * 2, "")


def write_sample(
    kind: SampleKind, rows: int, seed: int, out: Path, *, overwrite: bool = False
) -> None:
    """Write a sample export to `out`, compressed if its name ends in `.gz`.

    Args:
        kind: which export.
        rows: number of rows.
        seed: another seed gives other rows.
        out: the file; if it is a link, its target.
        overwrite: replace an existing file, once the new one is complete.

    Raises:
        FileExistsError: `out` exists, and may not or cannot be replaced by a file.
        OSError: the file cannot be written; `out` is unchanged and no partial file is left.
    """
    out = out.resolve()  # replaces the target of a link, not the link
    if out.exists() and not (overwrite and out.is_file()):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    with ExitStack() as stack:
        file: BufferedWriter | GzipFile = stack.enter_context(part.open("xb"))
        stack.callback(part.unlink, missing_ok=True)
        if out.suffix == ".gz":
            # No name and no time in the gzip header: the same seed gives the same bytes.
            file = stack.enter_context(GzipFile("", "wb", 6, file, mtime=0))
        with TextIOWrapper(file, encoding="utf-8", newline="") as text:
            write_rows(kind, rows, seed, text)
        if not overwrite:
            out.touch(exist_ok=False)  # fails if another program has made it meanwhile
        part.replace(out)


def write_rows(kind: SampleKind, rows: int, seed: int, text: TextIO) -> None:
    """Write a sample export to a text file that is open.

    Raises:
        OSError: it cannot be written.
    """
    labels, generate = {
        "appointments": (APPOINTMENT_LABELS, appointments),
        "users": (USER_LABELS, users),
    }[kind]
    writer = csv.writer(text)
    writer.writerow(labels)
    writer.writerows(generate(rows, seed))


def appointments(rows: int, seed: int) -> Iterator[list[str]]:
    """Rows of an appointments export: cells in the order of `APPOINTMENT_LABELS`.

    Rows are sorted by `_created_at`. Sales, amounts and revenue have exactly the same
    proportion to `rows` as in production.
    """
    rng = vocabulary.repeatable(seed)
    sales = _share(rows, _SALES, PRODUCTION_ROWS["appointments"])
    amounts = _share(rows, _AMOUNTS, PRODUCTION_ROWS["appointments"])
    has_amount, amount = _select(amounts, sales, rng), _amounts(amounts, rng)
    ids, times = vocabulary.object_ids(rows, f"appointments {seed}"), _times(rows, rng)
    for is_sale in _select(sales, rows, rng):
        yield [
            next(ids),
            *next(times),
            "TRUE" if is_sale else rng.choice(_NO_SALE),
            *vocabulary.result_and_customer(rng, is_sale=is_sale),
            *vocabulary.rep(rng),
            next(amount) if is_sale and next(has_amount) else "",
        ]


def users(rows: int, seed: int) -> Iterator[list[str]]:
    """Rows of a users export, sales reps first: cells in the order of `USER_LABELS`.

    The seed changes cells that differ between two exports of one company, such as the last
    login. Names and ids of the users do not depend on it.
    """
    rng = vocabulary.repeatable(seed)
    *names, without_id = vocabulary.OFFICES
    ids = vocabulary.object_ids(len(names), "offices")
    offices = [f"{name} ( {id_} )" for name, id_ in zip(names, ids, strict=True)] * 3
    for index, id_ in enumerate(vocabulary.object_ids(rows, "users")):
        person = vocabulary.person(index)
        login = _EXPORTED_AT - timedelta(days=rng.expovariate(1 / 6))
        yield [
            id_,
            person.first,
            person.last,
            person.email.partition("@")[0],
            person.email,
            login.strftime(rng.choice(_LOGIN_FORMS)),
            rng.choice((*["TRUE"] * 24, "FALSE")),
            rng.choice(("TRUE", "TRUE", "FALSE")),
            rng.choice(("TRUE", "FALSE", "FALSE", "FALSE")),
            rng.choice((*offices, without_id, "")),
            rng.choice((f"MHIC-{rng.randrange(100_000, 160_000)}", "")),
            rng.choice((*[""] * 8, "25.00", "0.00", "112.50")),
            f"EMP-{10_000 + 7 * index}",
            f"{4_000 + index}" if index < len(vocabulary.REPS) else "",
        ]


def _share(rows: int, part: int, whole: int) -> int:
    return (2 * rows * part + whole) // (2 * whole)


def _select(count: int, rows: int, rng: Random) -> Iterator[bool]:
    """`rows` booleans, exactly `count` of them true (Knuth's algorithm S)."""
    for left in range(rows, 0, -1):
        is_selected = rng.random() * left < count
        count -= is_selected
        yield is_selected


def _times(rows: int, rng: Random) -> Iterator[tuple[str, str]]:
    """Creation and last change of each row, in the order of creation.

    Each row gets a time slot of equal length, so no sorting is needed.
    """
    open_ms, end_ms = 24 * _HOUR_MS - _NIGHT_MS, (_EXPORTED_AT - _FIRST_DAY) // _MS
    for row in range(rows):
        day, time_ms = divmod(
            int((row + 0.999 * rng.random()) / rows * _DAYS * open_ms), open_ms
        )
        night_ms = _NIGHT_MS if time_ms >= _NIGHTFALL_MS else 0
        created_ms = day * 24 * _HOUR_MS + time_ms + night_ms
        lag_ms, most_ms = rng.expovariate(1 / (14 * _HOUR_MS)), end_ms - created_ms
        if lag_ms > most_ms:
            lag_ms = rng.random() * most_ms
        yield _instant(created_ms), _instant(created_ms + int(lag_ms))


def _instant(elapsed_ms: int) -> str:
    moment = _FIRST_DAY + elapsed_ms * _MS
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def _amounts(count: int, rng: Random) -> Iterator[str]:
    """Amounts with the mean of production, to the cent; most are small, few are large.

    Each amount is a random part of the remaining total (a Dirichlet distribution), so the
    last amount, which is the whole rest, has the same distribution as the first.
    """
    total = _share(count, _REVENUE_CENTS, _AMOUNTS)
    for rest in range(count - 1, -1, -1):
        part = rng.betavariate(2.5, 2.5 * rest) if rest else 1
        cents = _LEAST_CENTS + round(part * (total - (rest + 1) * _LEAST_CENTS))
        cents = max(min(cents, _MOST_CENTS), total - rest * _MOST_CENTS)
        total -= cents
        yield f"{cents // 100}.{cents % 100:02d}"
