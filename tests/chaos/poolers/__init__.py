"""PgBouncer between the importer and Postgres, in all pool modes; `make poolers`."""
