"""Paths of files in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
EVENTS = ROOT / "events"
SAMPLE_EXPORT = EVENTS / "SalesPro2025-06-18.csv"
# Public CSV test data next to the checkout; it may be missing.
CORPUS = ROOT.parent / "shared" / "csv-corpus"
