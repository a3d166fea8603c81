"""Clients of S3, SQS, Secrets Manager and RDS.

In: a notification or the settings; out: an object stream, reports in S3, a connection.
May import: `salespro_core`, `handler.events`, `handler.settings`.
Start at `s3_object.py`; `errors.py` maps AWS errors to ours.
"""
