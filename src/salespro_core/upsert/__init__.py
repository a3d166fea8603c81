"""Chunks to tables: one transaction each, fenced by the claim.

In: chunks of records and a claim; out: the counts of each chunk.
May import: everything but `importer` and `report`.
Start at `pipeline.py`; `sql.py` composes the statement of a batch, `chunk_counts.py` the
fence and the checkpoint.
"""
