"""`make package-size`: what Lambda gets, zipped: the folder that `make build` makes."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from benchmarks import page
from benchmarks.page import Table
from benchmarks.settings import Wanted
from tools.emulator import built_function

MB = 1024 * 1024
MOST_MB = 25
RUNTIME = "3.13"
SHOWN = 8


def main() -> None:
    """Show the size, write it down, and fail if it is too large."""
    wanted = Wanted.from_env()
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "package.zip"
        by_package = pack(packed, built_function().folder)
        size_mb = packed.stat().st_size / MB
    table = Table(f"The package: {size_mb:.1f} MB zipped", ("package", "MB"), left=1)
    for name, size in by_package.most_common(SHOWN):
        table.rows.append([name, f"{size / MB:.1f}"])
    table.notes.append(f"For Python {RUNTIME} on x86-64; it may have {MOST_MB} MB.")
    table.show()
    page.write(wanted.page, "size", "make package-size", table.markdown())
    sys.exit(size_mb >= MOST_MB)


def pack(out: Path, folder: Path) -> Counter[str]:
    """Zip the folder, as `sam deploy` does; bytes by what lies at the top of them."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file():
                archive.write(path, name)
                packed = archive.getinfo(name.as_posix())
                sizes[name.parts[0]] += packed.compress_size
    return sizes


if __name__ == "__main__":
    main()
