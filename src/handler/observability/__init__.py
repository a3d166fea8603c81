"""What the function reports about an import, apart from the report files.

In: an `Outcome`; out: log lines, metrics, SNS messages.
May import: `salespro_core`, `handler.events`.
Start at `import_log.py`.
"""
