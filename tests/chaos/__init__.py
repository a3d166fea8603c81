"""Faults, crashes and simulated schedules: what may break, breaks."""
