"""Tests that break things: injected faults, killed processes, simulated schedules."""
