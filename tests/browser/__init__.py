"""The reports in Chromium; `make browser`."""
