"""Tests that break things: injected faults, killed processes, simulated schedules.

`reliability_page.py` writes their results to docs/reliability.md.
"""
