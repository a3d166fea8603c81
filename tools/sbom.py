"""Last step of `make sbom`: check the bill of materials and the wheels that it is about.

It lists exactly the pinned packages, and each wheel with machine code is for the processor.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.emulator import BUILD, FUNCTION
from tools.licences import pins

# Processor of Lambda -> its name in the tags of wheels.
MACHINES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}


def main() -> None:
    """Check the file named by the first argument, for the processor of the second."""
    path, architecture = Path(sys.argv[1]), sys.argv[2]
    if wrong := sorted(foreign_wheels(BUILD / FUNCTION, architecture)):
        sys.exit(f"not for {architecture}: {', '.join(wrong)}")
    bill = json.loads(path.read_text(encoding="utf-8"))
    components = bill["components"]
    listed = {(_normalized(c["name"]), c["version"]) for c in components}
    pinned = {(_normalized(name), version) for name, version in pins()}
    if differing := sorted(f"{name} {version}" for name, version in listed ^ pinned):
        sys.exit(
            f"{path} and src/requirements.txt differ in {', '.join(differing)}: build "
            "again, and check which package is installed but not pinned."
        )
    print(f"{path} lists the {len(listed)} pinned packages for {architecture}")  # noqa: T201


def foreign_wheels(folder: Path, architecture: str) -> Iterator[str]:
    """Yield each installed wheel with machine code of another processor."""
    machine = MACHINES[architecture]
    for wheel in folder.glob("*.dist-info/WHEEL"):
        tags = re.findall(r"^Tag: (\S+)$", wheel.read_text("utf-8"), re.MULTILINE)
        platforms = {tag.rpartition("-")[2] for tag in tags} - {"any"}
        if not all(platform.endswith(f"_{machine}") for platform in platforms):
            yield wheel.parent.name.removesuffix(".dist-info")


def _normalized(name: str) -> str:
    """Normalize a package name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
