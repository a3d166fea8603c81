"""Tests of `salespro_core/preflight`; those with PgBouncer are in `chaos/poolers`."""
