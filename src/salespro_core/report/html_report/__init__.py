"""The report as an HTML page.

In: an `Outcome`; out: one self-contained HTML document.
May import: `errors`, `model`, `report`.
Start at `render.py`; `page_model.py` has the variables of the template `report.html`.
"""
