"""Tests of the templates: what the linters cannot check."""
