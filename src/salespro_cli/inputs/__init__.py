"""The input of an import: a file, a pipe or an S3 object.

In: the argument of `salespro import`; out: an upload and its stream, with a progress bar.
May import: `salespro_core`, `salespro_cli.aws`, `handler.aws`, `handler.events`.
Start at `sources.py`.
"""
