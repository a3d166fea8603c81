"""The pools that the tests use."""

from __future__ import annotations

from tests.support.servers import pgbouncer
from tests.support.servers.pgbouncer import PoolSettings

SIZES = (1, 2, 20)
# The version from which on PgBouncer keeps prepared statements of transaction pools.
KEEPS_PREPARED_STATEMENTS = (1, 21)


def name(settings: PoolSettings) -> str:
    """Return a name such as `transaction-2`."""
    parts = [settings.mode, str(settings.size)]
    parts += [] if settings.reset_query else ["without-reset"]
    parts += ["always-reset"] if settings.always_resets else []
    parts += ["prepared"] if settings.max_prepared_statements else []
    return "-".join(parts)


def transaction_pools() -> list[PoolSettings]:
    """Return transaction pools of all sizes.

    `server_reset_query` matters there only with `server_reset_query_always`.
    """
    pools = [PoolSettings(size=size) for size in SIZES]
    pools.append(PoolSettings(always_resets=True))
    if pgbouncer.is_at_least(*KEEPS_PREPARED_STATEMENTS):
        pools += [PoolSettings(size=size, max_prepared_statements=10) for size in SIZES]
    return pools


def session_pools() -> list[PoolSettings]:
    """Return session pools of all sizes, and one without `server_reset_query`."""
    pools = [PoolSettings(mode="session", size=size) for size in SIZES]
    return [*pools, PoolSettings(mode="session", size=2, reset_query="")]


STATEMENT_POOL = PoolSettings(mode="statement")
