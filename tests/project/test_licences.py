"""docs/licences.md lists the shipped packages, with version and licence."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

import pytest

from tools.licences import LIBRARIES, PAGE, bundled, page, pins


def test_installed_versions_are_the_shipped_versions() -> None:
    """Otherwise the page would list other versions, and the tests would run with them."""
    assert {name: metadata.version(name) for name, _ in pins()} == dict(pins())


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="wheels for other platforms bundle other libraries",
)
def test_page_of_licences_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make licences`"
    assert set(bundled(metadata.distribution("psycopg-binary"))) == set(LIBRARIES)


def test_every_package_has_an_approved_licence() -> None:
    """A person must review a licence before adding it here."""
    approved = {
        "Apache Software License",
        "BSD License",
        "BSD-3-Clause",
        "Apache Software License or BSD License",
        "BSD License or Apache Software License",
        "Apache-2.0",
        "LGPL-3.0-only",
        "MIT",
        "MIT License",
        "MIT License or MIT No Attribution License (MIT-0)",
        "PSF-2.0",
    }
    rows = [row for row in page().splitlines() if row.startswith("| ")]
    licences = {
        row.split(" | ")[2].removesuffix(" |")
        for row in rows
        if row.split(" | ")[0].removeprefix("| ") in dict(pins())
    }

    assert licences <= approved
