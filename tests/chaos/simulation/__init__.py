"""Seeded random schedules of uploads, deliveries and faults; `make simulation`.

Start at `scenario.py`. `oracle.py` compares the database with a model after each step.
"""
