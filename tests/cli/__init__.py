"""Tests of the command `salespro`."""
