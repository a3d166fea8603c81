"""An outcome as text, as JSON and as an HTML page.

In: an `Outcome`; out: strings.
May import: `errors`, `model`.
Start at `text_report.py`; `html_report/` renders the page.
"""
