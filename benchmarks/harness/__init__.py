"""What all benchmarks share: servers, export files, child processes and the result page.

`bench.Bench` measures a loader with a file: in a new process, on a new copy of a database.
"""
