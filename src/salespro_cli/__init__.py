"""The command `salespro`: the importer at a terminal.

In: arguments and environment variables; out: text or JSON, and an exit code.
May import: `salespro_core`, `handler.aws`, `handler.events`, `handler.admin.reconcile`;
`sandbox/function.py` alone also `handler.app`.
Start at `main.py`; each command is a module of `commands/`.
"""
