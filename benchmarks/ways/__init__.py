"""The ways of getting an export into the table, each in a module that has `ready(job)`.

`ready` does what comes before the clock starts (it imports libraries, makes clients), and
returns what is measured: it connects, reads the file, and leaves its rows committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

FEW_ROWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a fresh process is to do.

    Attributes:
        way: the module in this package.
        conninfo: of a database of its own, with the tables.
        path: of the export.
        details: what only some ways need.
        cgroup: the file to join a control group by, before the clock starts.
        share: of one CPU, where there are no control groups; None for all of it.
    """

    way: str
    conninfo: str
    path: str
    details: Mapping[str, str] = field(default_factory=dict)
    cgroup: str | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way, as the tables have it.

    Attributes:
        package: the distribution that has to be there.
        most_rounds: of a slow one, with up to 20,000 rows; with more it gets one.
    """

    name: str
    title: str
    package: str = "psycopg"
    most_rounds: int | None = None

    @property
    def version(self) -> str | None:
        """That of its package; None if it could not be installed on this machine."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    def rounds(self, rows: int, most: int) -> int:
        """How often it is measured."""
        if self.most_rounds is None:
            return most
        return min(most, self.most_rounds if rows <= FEW_ROWS else 1)

    @property
    def is_ours(self) -> bool:
        """Not a peer: a fault of it is a fault of the benchmark."""
        return self.most_rounds is None


FLOOR = Way(name="floor", title="floor (COPY and one upsert)")
LOCAL = Way(name="local", title="this project, a local file")
S3 = Way(name="s3", title="this project, from S3")
WRANGLER = Way(
    name="wrangler", title="awswrangler", package="awswrangler", most_rounds=3
)
DLT = Way(name="dlt", title="dlt", package="dlt", most_rounds=3)
EARLIER = Way(
    name="earlier", title="earlier system (Django)", package="django", most_rounds=1
)
WAYS = (FLOOR, LOCAL, S3, WRANGLER, DLT, EARLIER)

# What the file has, in its order; the table's own time of import is not among it.
COLUMNS = (
    "id",
    "created_at",
    "updated_at",
    "is_sale",
    "result_full_string",
    "customer_last_name",
    "customer_first_name",
    "customer_estimate_name",
    "salesrep_email",
    "salesrep_first_name",
    "salesrep_last_name",
    "sale_amount",
)
