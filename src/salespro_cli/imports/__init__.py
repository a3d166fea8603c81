"""The imports of a terminal: one file or several, and what an interrupted one says.

In: names of files, and settings; out: a `FileResult` for each file.
May import: `salespro_core`, `salespro_cli.inputs`, `salespro_cli.output`, `salespro_cli.reports`.
Start at `one_file.py`; `many_files.py` calls it for each file, also in other processes.
"""
