"""All faults by topic, in the order of the table in docs/reliability.md.

Each module declares `FAULTS`: how each fault is injected and how the importer reacts.
To add a fault, add it to the module of its topic; a new module must be listed here.
"""

from __future__ import annotations

from tests.chaos.faults.catalogue import (
    connecting,
    files,
    network,
    passwords,
    refused_rows,
    s3,
    schema_drift,
    server_restarts,
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
    *server_restarts.FAULTS,
    *passwords.FAULTS,
    *time_and_disk.FAULTS,
)
