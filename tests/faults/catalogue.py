"""All faults, in the order of the matrix in docs/reliability.md."""

from __future__ import annotations

from faults import (
    at_connecting,
    by_drift,
    by_rows,
    by_sqlstate,
    in_s3,
    in_sessions,
    in_the_file,
    in_the_setup,
    of_the_server,
    of_time,
    on_the_wire,
)
from faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *on_the_wire.FAULTS,
    *at_connecting.FAULTS,
    *in_sessions.FAULTS,
    *by_sqlstate.FAULTS,
    *by_rows.FAULTS,
    *in_the_setup.FAULTS,
    *by_drift.FAULTS,
    *in_s3.FAULTS,
    *in_the_file.FAULTS,
    *of_the_server.FAULTS,
    *of_time.FAULTS,
)
