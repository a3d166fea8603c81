"""All faults, in the order of the matrix in docs/reliability.md."""

from __future__ import annotations

from tests.chaos.faults.catalogue import (
    connecting,
    files,
    network,
    refused_rows,
    s3,
    schema_drift,
    server_and_passwords,
    sessions_and_locks,
    setup_mistakes,
    sqlstates,
    time_and_disk,
)
from tests.chaos.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *network.FAULTS,
    *connecting.FAULTS,
    *sessions_and_locks.FAULTS,
    *sqlstates.FAULTS,
    *refused_rows.FAULTS,
    *setup_mistakes.FAULTS,
    *schema_drift.FAULTS,
    *s3.FAULTS,
    *files.FAULTS,
    *server_and_passwords.FAULTS,
    *time_and_disk.FAULTS,
)
