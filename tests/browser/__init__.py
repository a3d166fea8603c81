"""Tests of the report pages and the sandbox's page in Chromium; `make browser`."""
