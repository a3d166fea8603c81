"""`make sbom`, its last step: the bill of materials lists what is pinned, and nothing else."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tools.licences import pins


def main() -> None:
    """Compare the file that is named first, or end with what differs."""
    path = Path(sys.argv[1])
    bill = json.loads(path.read_text(encoding="utf-8"))
    listed = {(_plain(it["name"]), it["version"]) for it in bill["components"]}
    pinned = {(_plain(name), version) for name, version in pins()}
    if differing := sorted(f"{name} {version}" for name, version in listed ^ pinned):
        sys.exit(
            f"{path} and src/requirements.txt differ in {', '.join(differing)}: build "
            "again, and look for what is installed that is not pinned."
        )
    print(f"{path} lists the {len(listed)} packages that are pinned")  # noqa: T201


def _plain(name: str) -> str:
    """As package indexes compare names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
