"""Everything this project raises on purpose.

SalesProError                      retryable = False
├─ ConfigError                     a setting is missing or malformed
├─ InputError                      the object is at fault; another attempt cannot help
│  ├─ UnknownExport                the header is no known export's
│  ├─ HeaderMismatch               a label stands in the header twice
│  ├─ UnreadableObject             not CSV text, or broken gzip
│  ├─ TooManyRejects               more bad rows than the error budget allows
│  └─ ObjectGone                   deleted or replaced before it could be read
├─ ObjectError                     S3 is at fault; the client's error is __cause__
│  ├─ ObjectUnavailable            retryable: a timeout, a cut that outlasted our patience
│  └─ ObjectRefused                no permission, no such bucket
├─ StoreError                      Postgres is at fault; psycopg's error is __cause__
│  ├─ StoreUnavailable             retryable: lost connection, deadlock, timeout
│  └─ StoreRefused                 wrong schema, permission, constraint
├─ StorageFull                     the rejects have no room in the temporary folder
└─ Unfinished                      retryable: the import goes on with another delivery
   ├─ OutOfTime                    stopped at a commit or before the first, for lack of time
   ├─ ClaimHeld                    another attempt's lease is live
   ├─ ClaimLost                    another attempt took over; nothing more was written
   └─ CommitsLost                  Postgres went back behind a commit, and we cannot

A bad row is none of these: it is a value, `salespro_core.records.parser.Reject`.
"""

from __future__ import annotations

from typing import ClassVar


class SalesProError(Exception):
    """Its text names the place, the cause and the fix, and never holds a cell."""

    retryable: ClassVar[bool] = False


class ConfigError(SalesProError):
    """Settings are missing or malformed.

    Attributes:
        problems: all of them, a sentence each; never a value, which may be a password.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class InputError(SalesProError):
    """The object is at fault: the same bytes would fail again."""


class UnknownExport(InputError):
    """The header is no known export's.

    Attributes:
        sync_type: that of the nearest export; None if nothing looks familiar.
        missing: the labels of the nearest export that the header lacks.
    """

    def __init__(
        self, message: str, sync_type: str | None = None, missing: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.sync_type = sync_type
        self.missing = missing


class HeaderMismatch(InputError):
    """Several labels of the header name one column.

    Attributes:
        sync_type: the export that was recognised.
        repeated: the labels as they stand in the file.
    """

    def __init__(self, message: str, sync_type: str, repeated: tuple[str, ...]) -> None:
        super().__init__(message)
        self.sync_type = sync_type
        self.repeated = repeated


class UnreadableObject(InputError):
    """The bytes are no CSV text in UTF-8, or so damaged that no row can be made out."""


class TooManyRejects(InputError):
    """More rows would be rejected than the error budget allows; none was written.

    Attributes:
        rejected: rows that would be.
        rows: all of the file's.
    """

    def __init__(self, message: str, *, rejected: int, rows: int) -> None:
        super().__init__(message)
        self.rejected = rejected
        self.rows = rows


class ObjectGone(InputError):
    """The object was deleted, or replaced by another, before it was read."""


class ObjectError(SalesProError):
    """S3 did not give the object; the client's error is `__cause__`."""


class ObjectUnavailable(ObjectError):
    """S3 could not be reached, or kept cutting the body; another attempt may do."""

    retryable: ClassVar[bool] = True


class ObjectRefused(ObjectError):
    """S3 refuses for a reason that another attempt does not change."""


class StoreError(SalesProError):
    """Postgres did not do it; psycopg's error is `__cause__`."""


class StoreUnavailable(StoreError):
    """The connection, a lock or the time ran out; another attempt may do.

    Attributes:
        sqlstate: Postgres' code; None if the connection broke or there was none.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class StoreRefused(StoreError):
    """Postgres refuses for a reason that another attempt does not change.

    Attributes:
        sqlstate: Postgres' code, such as `42P01`; None where there is none.
    """

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class StorageFull(SalesProError):
    """The rejects could not be kept; the OSError is `__cause__`."""


class Unfinished(SalesProError):
    """The import is not done and nothing is wrong with it."""

    retryable: ClassVar[bool] = True


class OutOfTime(Unfinished):
    """Stopped at a commit or before the first; the checkpoint is kept, the lease free."""


class ClaimHeld(Unfinished):
    """Another attempt is at it.

    Attributes:
        retry_after_s: seconds until its lease runs out if it is not renewed.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ClaimLost(Unfinished):
    """Another attempt took over; this one wrote nothing from then on.

    Or so it looks: Postgres may have gone back behind a commit of ours, and then the
    checkpoint went back with the rows (see `importer`).
    """

    def __init__(self) -> None:
        super().__init__(
            "Another attempt took over this import; this one writes nothing more."
        )


class CommitsLost(Unfinished):
    """Postgres lost commits of ours, in a crash or a failover; the lease is free.

    The file cannot be read again from here, or it was lost too often in one attempt.
    """

    def __init__(self, rows: int) -> None:
        super().__init__(
            f"Postgres lost what it had committed behind row {rows} (a crash, or a "
            "failover to a server that was behind). The next delivery goes on from "
            "there; import a file that was piped in once more."
        )
