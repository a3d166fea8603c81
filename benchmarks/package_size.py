"""`make package-size`: what Lambda gets, zipped: src/ and what src/requirements.txt names."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from benchmarks import page
from benchmarks.child import ROOT
from benchmarks.page import Table
from benchmarks.settings import Wanted

MB = 1024 * 1024
MOST_MB = 25
RUNTIME = "3.13"
# The function runs on Amazon Linux 2023, which has glibc 2.34.
PLATFORMS = [
    option
    for glibc in ("2_34", "2_28", "2_17")
    for option in ("--platform", f"manylinux_{glibc}_x86_64")
]
SHOWN = 8


def main() -> None:
    """Show the size, write it down, and fail if it is too large."""
    wanted = Wanted.from_env()
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder) / "package")
        packed = Path(folder) / "package.zip"
        by_package = pack(packed, Path(folder) / "package", ROOT / "src")
        size_mb = packed.stat().st_size / MB
    table = Table(f"The package: {size_mb:.1f} MB zipped", ("package", "MB"), left=1)
    for name, size in by_package.most_common(SHOWN):
        table.rows.append([name, f"{size / MB:.1f}"])
    table.notes.append(f"For Python {RUNTIME} on x86-64; it may have {MOST_MB} MB.")
    table.show()
    page.write(wanted.page, "size", "make package-size", table.markdown())
    sys.exit(size_mb >= MOST_MB)


def install(target: Path) -> None:
    """Install what the function needs, as its runtime would."""
    subprocess.run(  # noqa: S603 -- pip
        [
            *(sys.executable, "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--no-deps", "--no-compile"),
            *("--only-binary", ":all:", "--implementation", "cp"),
            *("--python-version", RUNTIME, *PLATFORMS),
            *("--require-hashes", "--target", str(target)),
            *("-r", str(ROOT / "src" / "requirements.txt")),
        ],
        check=True,
    )


def pack(out: Path, *folders: Path) -> Counter[str]:
    """Zip the folders, as `sam deploy` does; bytes by what lies at the top of them."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                if path.is_file() and path.suffix != ".pyc":
                    archive.write(path, name)
                    packed = archive.getinfo(name.as_posix())
                    sizes[name.parts[0]] += packed.compress_size
    return sizes


if __name__ == "__main__":
    main()
