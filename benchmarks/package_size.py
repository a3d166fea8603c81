"""`make package-size`: the zipped size of the package that `make build` makes."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from benchmarks.harness import page
from benchmarks.harness.page import Table
from benchmarks.harness.settings import BenchmarkSettings
from tools.emulator import built_function

MB = 1024 * 1024
MAX_MB = 25
RUNTIME = "3.13"
DEFAULT = "x86_64"  # processor
SHOWN = 8


def main() -> None:
    """Print the size, write it to the page, and fail at `MAX_MB` or more.

    The argument is the processor; the page has the default one.
    """
    architecture = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
    settings = BenchmarkSettings.from_env()
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "package.zip"
        by_package = pack(packed, built_function().folder)
        size_mb = packed.stat().st_size / MB
    table = Table(f"The package: {size_mb:.1f} MB zipped", ("package", "MB"), left=1)
    for name, size in by_package.most_common(SHOWN):
        table.rows.append([name, f"{size / MB:.1f}"])
    machine = "x86-64" if architecture == DEFAULT else architecture
    table.notes.append(f"For Python {RUNTIME} on {machine}. The limit is {MAX_MB} MB.")
    table.show()
    if architecture == DEFAULT:
        page.write(settings.page, "size", "make package-size", table.markdown())
    sys.exit(size_mb >= MAX_MB)


def pack(out: Path, folder: Path) -> Counter[str]:
    """Zip the folder as `sam deploy` does, and count bytes by top-level package."""
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
