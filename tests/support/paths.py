"""Where the repository's own files are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
EVENTS = ROOT / "events"
SAMPLE_EXPORT = EVENTS / "SalesPro2025-06-18.csv"
# Public test data beside the checkout; it may be absent.
CORPUS = ROOT.parent / "shared" / "csv-corpus"
