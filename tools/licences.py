"""`make licences`: write docs/licences.md from the metadata of the shipped packages."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.metadata import Distribution
from typing import Final

from tools.emulator import ROOT

PAGE: Final = ROOT / "docs" / "licences.md"
PINS: Final = ROOT / "src" / "requirements.txt"
# psycopg-binary contains these C libraries, without metadata about their licences.
# Source: the licence file of each project.
LIBRARIES: Final = {
    "libcom_err": ("MIT Kerberos and e2fsprogs", "MIT"),
    "libcrypt": ("glibc", "LGPL-2.1-or-later"),
    "libcrypto": ("OpenSSL", "Apache-2.0"),
    "libgssapi_krb5": ("MIT Kerberos", "MIT"),
    "libk5crypto": ("MIT Kerberos", "MIT"),
    "libkeyutils": ("keyutils", "LGPL-2.1-or-later"),
    "libkrb5": ("MIT Kerberos", "MIT"),
    "libkrb5support": ("MIT Kerberos", "MIT"),
    "liblber": ("OpenLDAP", "OLDAP-2.8"),
    "libldap": ("OpenLDAP", "OLDAP-2.8"),
    "libpq": ("PostgreSQL", "PostgreSQL"),
    "libsasl2": ("Cyrus SASL", "BSD with an acknowledgement"),
    "libssl": ("OpenSSL", "Apache-2.0"),
}
_BUNDLED: Final = re.compile(r"psycopg_binary\.libs/(\w+)-\w+\.so")
_HEAD: Final = """\
# Licences of what ships
The package that `make build` creates contains these packages with their licence files, and no other third-party code.
`make licences` writes this page from src/requirements.txt and the metadata of the packages; a test compares the two.

If you run the function in your own account, you do not distribute it. If you distribute the package, include the licence
files. For psycopg and the other LGPL libraries, recipients must also be able to replace them with other versions; this is
possible, because they are separate files.
"""


def main() -> None:
    """Write docs/licences.md."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page for the packages that are installed here.

    Raises:
        PackageNotFoundError: a shipped package is not installed.
        KeyError: psycopg-binary contains a library that is not in `LIBRARIES`.
    """
    packages = [(name, metadata.distribution(name)) for name, _ in pins()]
    lines = [_HEAD, "| package | version | licence |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {package.version} | {licence(package)} |"
        for name, package in packages
    ]
    lines += ["", "psycopg-binary contains these libraries:", ""]
    lines += ["| library | of | licence |", "| --- | --- | --- |"]
    for name in bundled(metadata.distribution("psycopg-binary")):
        project, terms = LIBRARIES[name]
        lines.append(f"| {name} | {project} | {terms} |")
    return "\n".join(lines) + "\n"


def pins() -> list[tuple[str, str]]:
    """Name and version of each shipped package."""
    return re.findall(r"^([\w.-]+)==([\w.]+)", PINS.read_text("utf-8"), re.MULTILINE)


def licence(distribution: Distribution) -> str:
    """The licence in the package's metadata: the newest of three formats that it has."""
    fields = distribution.metadata
    if expression := fields.get_all("License-Expression"):
        return str(expression[0])
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in fields.get_all("Classifier", [])
        if line.startswith("License :: ")
    ]
    names = [name for name in classifiers if name != "OSI Approved"]
    return " or ".join(names) or str(fields["License"])


def bundled(distribution: Distribution) -> list[str]:
    """The names of the bundled shared libraries, without versions."""
    matches = {_BUNDLED.match(str(path)) for path in distribution.files or []}
    return sorted({match[1] for match in matches if match})


if __name__ == "__main__":
    main()
