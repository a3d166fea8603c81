"""Tests of the report pages in Chromium; `make browser`."""
