"""`make validate` and `make secure`: write the translated template of each combination.

Usage: `python -m tools.templates.sweep FOLDER`, with SAM's Python.  A linter reads conditions only
in part, so each template has none left: it is what CloudFormation would deploy.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tools.templates.combinations import COMBINATIONS
from tools.templates.resolve import parameter_values, resolve, rules_are_met
from tools.translate import translate

ROOT = Path(__file__).parents[2]


def main(folder: Path) -> None:
    """Write `FOLDER/<combination>.json` for each combination, and nothing else into it.

    Raises:
        ValueError: the template's rules refuse a combination.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, given in COMBINATIONS.items():
        translated = translate(ROOT / "template.yaml", given)
        values = parameter_values(translated, given)
        if not rules_are_met(translated, values):
            raise ValueError(f"the rules of the template refuse {name}")
        text = json.dumps(resolve(translated, values), indent=2, default=str)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
