"""PgBouncer between the importer and Postgres, in all pool modes; `make poolers`.

pooled_world: the function with a pooler before its database.  server_sessions: what other
clients of the pool see on its server sessions.  applications: clients that import at
random.  disturbances: what happens to a pool in the middle of an import.
"""
