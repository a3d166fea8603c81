"""The Lambda function: the only code that knows AWS.

In: notifications of uploads, and `{"action": …}` events; out: imports, reports, log lines.
May import: `salespro_core`.
Start at `app.py`; `upload_import.py` imports one upload.
"""
