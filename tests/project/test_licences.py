"""What ships is listed with its licence, in the versions that ship."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

import pytest

from tools.licences import LIBRARIES, PAGE, bundled, page, pins


def test_the_tests_run_with_the_versions_that_ship() -> None:
    """Otherwise the page would tell of others, and the tests as well."""
    assert {name: metadata.version(name) for name, _ in pins()} == dict(pins())


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="wheels for other machines bundle other libraries",
)
def test_the_page_of_licences_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make licences`"
    assert set(bundled(metadata.distribution("psycopg-binary"))) == set(LIBRARIES)


def test_a_package_that_is_listed_is_under_a_licence_that_lets_us_use_it() -> None:
    """The list of those that were looked at; another one is for people to decide."""
    looked_at = {
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

    assert licences <= looked_at
