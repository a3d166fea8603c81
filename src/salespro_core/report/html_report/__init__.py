"""The report as an HTML page.

In: an `Outcome`; out: one self-contained HTML document.
May import: `errors`, `model`, `report`.
Start at `render.py`; the template is `report.html`, colours are in `report.css`.
"""
