"""Tests of the page of the sandbox, over HTTP; those in Chromium are in `tests/browser`."""
