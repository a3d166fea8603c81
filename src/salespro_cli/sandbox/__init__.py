"""The sandbox: the whole product on this machine.

In: uploads to a bucket of moto; out: reports in another bucket, and lines on the terminal.
May import: `salespro_core`, `salespro_cli.local_postgres`, `salespro_cli.output`; `function.py`
alone `handler.app`.
Start at `run.py`.
"""
