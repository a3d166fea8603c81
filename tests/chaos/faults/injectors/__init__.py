"""How faults are caused: connections, locks, triggers, servers, S3 objects."""
