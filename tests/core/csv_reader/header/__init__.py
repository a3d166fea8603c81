"""Tests of the header: layouts, refusals and labels."""
