"""S3, SQS, Secrets Manager and RDS as the function uses them.

In: a notification or settings; out: an object's stream, reports in S3, a connection.
May import: `salespro_core`, `handler.events`, `handler.settings`.
Start at `s3_object.py`; `errors.py` maps AWS error codes.
"""
