"""The exceptions that this project raises.

SalesProError                      retryable = False
├─ ConfigError                     a setting is missing or invalid
├─ InputError                      the file cannot be imported; a retry fails again
│  ├─ UnknownExport                the header matches no known export
│  ├─ HeaderMismatch               two labels mean the same column, or one is damaged
│  ├─ UnreadableObject             not CSV text in UTF-8, or damaged gzip
│  ├─ TooManyRejects               the rejected rows exceed the error budget
│  ├─ KeyRefused                   the object key is a mistyped dry run, or not storable
│  ├─ MalwareFound                 a scan found malware; nothing is read
│  └─ ObjectGone                   deleted or replaced before it was read
├─ UndoRefused                     the import cannot be undone
├─ ObjectError                     S3 failed; the client's error is __cause__
│  ├─ ObjectUnavailable            retryable: timeout, connection error, truncated body
│  │  └─ ScanPending               not scanned for malware yet
│  └─ ObjectRefused                permission denied, or the bucket does not exist
├─ StoreError                      Postgres failed; psycopg's error is __cause__
│  ├─ StoreUnavailable             retryable: lost connection, deadlock, timeout
│  └─ StoreRefused                 wrong schema, missing privilege, failed constraint
├─ StorageFull                     the temporary folder has no space for the rejects
└─ Unfinished                      retryable: another delivery resumes the import
   ├─ OutOfTime                    stopped after a commit, or before the first
   ├─ ClaimHeld                    another attempt holds the lease
   ├─ ClaimLost                    another attempt took over the import
   └─ CommitsLost                  Postgres lost commits, and the file cannot be reread

A rejected row is not an exception but a value: `salespro_core.model.rejects.Reject`.
"""

from __future__ import annotations

from typing import ClassVar


class SalesProError(Exception):
    """The base; its text names the place, the cause and the fix, never a cell's value."""

    retryable: ClassVar[bool] = False


class ConfigError(SalesProError):
    """Settings are missing or invalid.

    Attributes:
        problems: one sentence per problem; never a value, which may be a password.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class InputError(SalesProError):
    """The file cannot be imported; the same bytes would fail again."""


def is_input_error(error_type: str | None) -> bool:
    """Whether the class of this name is an InputError."""
    classes = [InputError]
    for class_ in classes:  # it grows
        classes += class_.__subclasses__()
    return error_type in {class_.__name__ for class_ in classes}


class UnknownExport(InputError):
    """The header matches no known export.

    Attributes:
        sync_type: of the most similar export; None if no export is similar.
    """

    def __init__(self, message: str, sync_type: str | None = None) -> None:
        super().__init__(message)
        self.sync_type = sync_type


class HeaderMismatch(InputError):
    """The header is damaged, names a column twice, or does not fit the rows.

    Attributes:
        sync_type: of the recognised export.
    """

    def __init__(self, message: str, sync_type: str) -> None:
        super().__init__(message)
        self.sync_type = sync_type


class UnreadableObject(InputError):
    """The bytes are not CSV text in UTF-8, or too damaged to find any row."""


class TooManyRejects(InputError):
    """The rejected rows exceed the error budget; no row was written."""


class KeyRefused(InputError):
    """The object key is a mistyped dry run, or the history cannot store it."""


class ObjectGone(InputError):
    """The object was deleted or replaced before it was read."""


class MalwareFound(InputError):
    """A malware scan found threats in the object; it was not read."""


class UndoRefused(SalesProError):
    """The import does not exist, is not completed, or its changes are not kept."""


class ObjectError(SalesProError):
    """S3 did not deliver the object; the client's error is `__cause__`."""


class ObjectUnavailable(ObjectError):
    """S3 could not be reached, or truncated the body repeatedly; a retry may succeed."""

    retryable: ClassVar[bool] = True


class ScanPending(ObjectUnavailable):
    """The object has no result of a malware scan yet."""


class ObjectRefused(ObjectError):
    """S3 refused the request; a retry would be refused again."""


class StoreError(SalesProError):
    """Postgres did not execute the statement; psycopg's error is `__cause__`."""


class StoreUnavailable(StoreError):
    """A lost connection, a deadlock or a timeout; a retry may succeed.

    Attributes:
        sqlstate: of Postgres' error; None if Postgres did not answer.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class StoreRefused(StoreError):
    """Postgres refused the statement or the connection; a retry would fail again.

    Attributes:
        sqlstate: of Postgres' error, such as `42P01`; None if it has none.
    """

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class StorageFull(SalesProError):
    """The rejects could not be written to disk; the OSError is `__cause__`."""


class Unfinished(SalesProError):
    """The import is not complete, and its file is not the cause."""

    retryable: ClassVar[bool] = True


class OutOfTime(Unfinished):
    """The time ran out; the checkpoint is kept and the lease released.

    Attributes:
        new_checkpoint: rows that are committed, if this attempt has committed some of them;
            0 if not, or if the caller of the importer did not set it.
    """

    new_checkpoint: int = 0


class ClaimHeld(Unfinished):
    """Another attempt holds the lease of this import.

    Attributes:
        retry_after_s: seconds until the lease expires, unless it is renewed.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ClaimLost(Unfinished):
    """Another attempt took over the import; this attempt writes nothing more.

    Also raised first when Postgres lost commits of this attempt, since the stored
    checkpoint then differs from the expected one.  `importer.attempt_claim` distinguishes the two.
    """

    def __init__(self) -> None:
        super().__init__(
            "Another attempt took over this import; this one writes nothing more."
        )


class CommitsLost(Unfinished):
    """Postgres lost commits of this attempt, in a crash or a failover.

    The file cannot be read again in this attempt, or commits were lost too often.  The
    lease is released.
    """

    def __init__(self, rows: int) -> None:
        super().__init__(
            f"Postgres lost the commits after row {rows}, in a crash or in a failover to "
            "a standby that lagged. The next delivery resumes there. If the file was "
            "piped into the command, import it again."
        )
