"""Last step of `make sbom`: check that the bill of materials lists exactly the pinned packages."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tools.licences import pins


def main() -> None:
    """Compare the file named by the first argument; exit with the differences."""
    path = Path(sys.argv[1])
    bill = json.loads(path.read_text(encoding="utf-8"))
    components = bill["components"]
    listed = {(_normalized(c["name"]), c["version"]) for c in components}
    pinned = {(_normalized(name), version) for name, version in pins()}
    if differing := sorted(f"{name} {version}" for name, version in listed ^ pinned):
        sys.exit(
            f"{path} and src/requirements.txt differ in {', '.join(differing)}: build "
            "again, and check which package is installed but not pinned."
        )
    print(f"{path} lists the {len(listed)} pinned packages")  # noqa: T201


def _normalized(name: str) -> str:
    """Normalize a package name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
