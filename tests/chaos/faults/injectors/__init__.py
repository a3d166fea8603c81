"""Injectors: functions that cause a fault on entering a block and repair it on leaving.

strike_points: at which statement a fault strikes.  The other modules are named after what
they change: the network, connections, locks, triggers, the state of the database, its
schema, passwords, servers, S3 objects.
"""
