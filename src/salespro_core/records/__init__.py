"""Rows to records, rejects and chunks.

In: blocks of rows; out: chunks of records sorted by key, rejects, and the file's summary.
May import: `errors`, `model`, `exports`, `csv_reader`.
Start at `file_reader.py`; `chunks.py` decides which of two rows with one id wins.
"""
