"""Seeded schedules of all faults against a model; `make simulation`."""
