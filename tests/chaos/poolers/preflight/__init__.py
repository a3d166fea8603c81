"""The check of a database behind PgBouncer."""
