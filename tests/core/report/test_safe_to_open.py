"""Hostile text is harmless in a browser, a spreadsheet, a terminal and a program."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest
from psycopg import Connection

from salespro_core.csv_reader.csv_injection import unescape_formula
from salespro_core.importer.callbacks import ImportCallbacks
from salespro_core.importer.dry_run import dry_run_upload
from salespro_core.model.outcome import Outcome
from salespro_core.postgres import connection
from salespro_core.records.rejects_file import Rejects
from salespro_core.report.html_report.format import replace_invisible
from salespro_core.report.html_report.render import as_html
from salespro_core.report.json_report import as_json
from salespro_core.report.text_report import as_text
from salespro_core.report.truncate import truncate
from tests.support.builders import APPOINTMENT, appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.reports.html_pages import Page

TEMPLATE = resources.files("salespro_core.report.html_report").joinpath("report.html")
TEMPLATE_TAGS = set(re.findall(r"<([a-z][a-z0-9]*)", TEMPLATE.read_text("utf-8")))
# A report shows this many rows of each kind.
SHOWN = 10
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg/onload=alert(1)>'",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }} {% for x in y %} {# #}",
    "&lt;b&gt;&amp;",
    "javascript:alert(1)",
    "=1+1",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "+1 555 0100",
    "-2+3",
    "\t=1",
    "a\x1b[2Jb\x07",
    "\u202egnp.exe",
    "two\nlines",
]


def dry_run(conninfo: str, body: bytes, name: str) -> tuple[Outcome, bytes]:
    """Dry-run a file; return the outcome and the rejects file."""
    files = []

    def publish(_: Outcome, rejects: Rejects) -> None:
        file = rejects.open()
        files.append(file.read() if file else b"")

    with connection.connect(conninfo) as conn:
        outcome = dry_run_upload(
            conn,
            upload(object_key=name, bucket=None, version=None),
            io.BytesIO(body),
            callbacks=ImportCallbacks(publish=publish),
        )
    return outcome, files[0]


def check(conninfo: str, conn: Connection, strings: Sequence[str]) -> None:
    """Dry-run a file with these strings in cells, keys, a label and the name; check its report."""
    keys = [f"{n:02}" for n in range(len(strings))]
    run(conn, csv_bytes(*(appointment(key) for key in keys)))
    label = f"x{strings[0]}".replace("\0", "")
    rows = [
        *(appointment(k, resultFullString=s) for k, s in zip(keys, strings, strict=True)),
        *(appointment(s[:50] or "-", saleAmount=f"no amount {s}") for s in strings),
        *(appointment(f"bad {k}", saleAmount=s or "-", isSale="?") for k, s in zip(keys, strings, strict=True)),
    ]  # fmt: skip
    body = csv_bytes(*rows, header=[*APPOINTMENT, label])
    outcome, rejects = dry_run(conninfo, body, f"{strings[0]}.csv")
    assert outcome.error is None

    page = Page(as_html(outcome, "rejects.csv"))
    report = json.loads(json.dumps(as_json(outcome, "rejects.csv")))
    text = as_text(outcome, "rejects.csv")

    # A browser: all elements come from the template, and the cells are visible.
    assert {tag for tag, _ in page.tags} <= TEMPLATE_TAGS
    assert {name for _, found in page.tags for name in found if name.startswith("on")} == set()  # fmt: skip
    assert page.open_tags == []
    changed = {c.key: c.fields["result_full_string"][1] for c in outcome.changes if "result_full_string" in c.fields and not c.is_new}  # fmt: skip
    for new in filter(None, changed.values()):
        assert replace_invisible(truncate(new, 160)) in page.texts
    for reason in outcome.reasons:
        for example in reason.examples:
            assert (
                not example.key
                or replace_invisible(truncate(example.key, 160)) in page.texts
            )
    # A program.
    assert {c["key"]: c["fields"]["result_full_string"]["new"] for c in report["changes"] if c["key"] in changed} == changed  # fmt: skip
    # A terminal.
    assert all(c.isprintable() or c == "\n" for c in text)
    # A spreadsheet: no cell is a formula, and the cells uploaded again are the original ones.
    table = list(csv.reader(io.StringIO(rejects.decode(errors="surrogateescape"), newline="")))  # fmt: skip
    assert len(table) == 1 + outcome.counts.rejected
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in table for cell in row)  # fmt: skip
    sent = {tuple(row.get(name, "") for name in [*APPOINTMENT, label]) for row in rows}
    assert {tuple(map(unescape_formula, row[3:])) for row in table[1:]} <= sent


@pytest.mark.parametrize("start", range(0, len(HOSTILE), SHOWN))
def test_hostile_strings_are_harmless(
    database_url: str, conn: Connection, start: int
) -> None:
    check(database_url, conn, HOSTILE[start : start + SHOWN])


def test_hostile_strings_of_the_corpus_are_harmless(
    database_url: str, conn: Connection, corpus: Path | None
) -> None:
    if corpus is None:
        pytest.skip("the corpus is not available")
    file = corpus / "csv-injection-payloads" / "csv-payload.txt"
    strings = [
        *file.read_text(encoding="utf-8").splitlines(),
        *json.loads((corpus / "blns" / "blns.json").read_bytes()),
    ]

    for start in range(0, len(strings), SHOWN):
        check(database_url, conn, strings[start : start + SHOWN])
        conn.execute("TRUNCATE salespro_appointment")
