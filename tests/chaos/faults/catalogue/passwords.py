"""Passwords are rotated or wrong; Secrets Manager cannot be reached."""

from __future__ import annotations

import json

from tests.chaos.faults.catalogue.setup_mistakes import ROLE, STOPS
from tests.chaos.faults.fault import Fault, FaultCase, Recovery
from tests.chaos.faults.injectors.passwords import (
    broken_secret,
    password_in_secret,
    password_required,
    rotate_at,
    rotate_before_use,
    rotate_between_invocations,
    rotate_in_postgres_only,
    secrets_manager_unreachable,
    wrong_password_in_url,
)
from tests.chaos.faults.injectors.strike_points import (
    BETWEEN_CHUNKS,
)

FAULTS = (
    Fault(
        name="password rotated",
        injection="the password changes in Postgres and in the secret; sessions are terminated",
        reaction="each new connection reads the secret again",
        recovery=Recovery.WITHIN_ATTEMPT,
        needs_private_server=True,
        cases=tuple(
            FaultCase(name=name, inject=password_in_secret(password_required(inject)))
            for name, inject in {
                "between two invocations": rotate_between_invocations,
                "between reading and using the secret": rotate_before_use,
                "between two chunks": rotate_at(BETWEEN_CHUNKS),
            }.items()
        ),
    ),
    Fault(
        name="password refused",
        injection="the secret has the old password, or DATABASE_URL has a wrong one",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="StoreRefused",
        error_patterns=(ROLE,),
        needs_private_server=True,
        cases=(
            FaultCase(
                name="the secret",
                inject=password_in_secret(password_required(rotate_in_postgres_only)),
            ),
            FaultCase(
                name="DATABASE_URL", inject=password_required(wrong_password_in_url)
            ),
        ),
    ),
    Fault(
        name="malformed secret",
        injection="the secret is not JSON, or has no password",
        reaction=STOPS,
        recovery=Recovery.AFTER_REPAIR,
        error_type="ConfigError",
        error_patterns=("the secret of DB_SECRET_ARN (is not JSON|has no password)",),
        cases=(
            FaultCase(
                name="not JSON",
                inject=password_in_secret(broken_secret(lambda _: "hunter2")),
            ),
            FaultCase(
                name="without a password",
                inject=password_in_secret(
                    broken_secret(lambda known: json.dumps(known | {"password": ""}))
                ),
            ),
        ),
    ),
    Fault(
        name="Secrets Manager cannot be reached",
        injection="its endpoint refuses connections",
        reaction="the attempt ends before its deadline",
        recovery=Recovery.NEXT_DELIVERY,
        error_type="StoreUnavailable",
        error_patterns=(
            "Secrets Manager could not be reached .* endpoint or a NAT gateway",
        ),
        cases=(
            FaultCase(
                name="at the first connection",
                inject=password_in_secret(secrets_manager_unreachable),
                seconds=8,
            ),
        ),
    ),
)
