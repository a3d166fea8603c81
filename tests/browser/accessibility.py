"""The accessibility checker axe-core."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")


def find_violations(page: Page) -> list[tuple[str, str, str]]:
    """Rule, element and explanation of each violation; asserts that rules were applied."""
    # Evaluated instead of inserted as an element: the page's policy forbids scripts.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run(document)")
    assert result["passes"]
    return [
        (rule["id"], node["html"][:200], node["failureSummary"])
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
