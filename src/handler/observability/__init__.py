"""What the function tells about an import: log lines, metrics, SNS messages.

In: an `Outcome`; out: a log line, metrics, a message to the topic.
May import: `salespro_core`, `handler.events`.
Start at `import_log.py`.
"""
