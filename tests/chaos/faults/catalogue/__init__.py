"""The faults by topic: how each is caused, and what has to come of it."""
