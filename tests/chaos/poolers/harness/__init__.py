"""What the pooler tests are made of.

pools: the settings of the pools.  pooled_world: the function with a pooler before its
database.  server_sessions: what other clients of the pool see on its server sessions.
leaks: what they leave there.  applications: clients that import at random.  disturbances:
what happens to a pool in the middle of an import.
"""
