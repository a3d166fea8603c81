"""Invented exports of any size.

In: a number of rows and a seed; out: CSV text.
May import: nothing else of the project.
Start at `generator.py`; names and texts are in `vocabulary.py`.
"""
