"""Tests of the column types, one file for each kind."""
