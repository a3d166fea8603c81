"""Programs that load an export into the table; each is a module with `ready(job)`.

`ready` prepares everything that is not measured: it imports libraries and makes clients.
It returns the function to measure, which connects, reads the file and commits its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

FEW_ROWS = 20_000
REAL_ROWS = 2_374  # of the export that customers send


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process loads.

    Attributes:
        loader: name of the module in this package.
        conninfo: connection string of a new database with the tables.
        path: path of the export.
        details: further values for some loaders.
        cgroup: file to write the pid to, which joins a control group; None for none.
        share: share of one CPU, if control groups are not available; None for no limit.
    """

    loader: str
    conninfo: str
    path: str
    details: Mapping[str, str] = field(default_factory=dict)
    cgroup: str | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """A loader, as the tables show it.

    Attributes:
        name: its module in this package.
        package: the distribution that it needs.
        max_rounds: rounds of a slow loader for files of up to 20,000 rows; it measures
            larger files once. None for no limit.
        max_rows: it only loads files of up to this many rows; None for no limit.
        reads_s3: it reads an object of S3, not the file.
    """

    name: str
    title: str
    package: str = "psycopg"
    max_rounds: int | None = None
    max_rows: int | None = None
    reads_s3: bool = False

    @property
    def version(self) -> str | None:
        """Version of its package; None if the package is not installed."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    def rounds(self, rows: int, most: int) -> int:
        """Number of rounds for a file of `rows` rows, at most `most`."""
        if self.max_rows is not None and rows > self.max_rows:
            return 0
        if self.max_rounds is None:
            return most
        return min(most, self.max_rounds if rows <= FEW_ROWS else 1)

    @property
    def is_ours(self) -> bool:
        """True for this project and the floor: if they fail, the benchmark fails."""
        return self.max_rounds is None


FLOOR = Loader(name="floor", title="floor (COPY and one upsert)")
LOCAL = Loader(name="local", title="this project, a local file")
S3 = Loader(name="s3", title="this project, from S3", reads_s3=True)
# Larger files hide what they show.
WARM = Loader(
    name="s3_warm",
    title="the function, warm",
    max_rows=REAL_ROWS,
    reads_s3=True,
)
COLD = Loader(
    name="s3_cold",
    title="the function, cold",
    max_rows=REAL_ROWS,
    reads_s3=True,
)
WRANGLER = Loader(
    name="wrangler", title="awswrangler", package="awswrangler", max_rounds=3
)
DLT = Loader(name="dlt", title="dlt", package="dlt", max_rounds=3)
SLING = Loader(name="sling", title="Sling", package="sling-linux-amd64", max_rounds=3)
EARLIER = Loader(
    name="earlier", title="earlier system (Django)", package="django", max_rounds=1
)
LOADERS = (FLOOR, LOCAL, S3, WARM, COLD, WRANGLER, DLT, SLING, EARLIER)

# The columns of the file, in its order. The table also has the time of import.
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
