"""An outcome as text, as JSON and as an HTML page.

In: an `Outcome`; out: strings and a dict for report.json.
May import: `errors`, `model`.
Start at `verdict.py`, which has the sentences of all three; `html_report/` renders the page.
"""
