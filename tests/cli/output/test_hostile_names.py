"""Each command, with each kind of name that a terminal or a file system could obey."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REGION
from salespro_core.model.object_key import MAX_KEY_BYTES
from salespro_core.sync_history import claims
from tests.cli.commands.test_watch import WATCHING, watching
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.function.hostile_names import KEYS, NAMES, is_safe
from tests.support.function.upload_bucket import UploadBucket, open_upload_bucket
from tests.support.import_runs import run
from tests.support.table_contents import wait_until
from tests.support.terminal import Terminal, wait_for

# Bytes that are not UTF-8: alone, a surrogate, an escape sequence in C1 of Latin-1.
BYTES = {"ff": b"\xff", "surrogate": b"\xed\xa0\x80", "csi": b"\x9b2J"}
FILE_NAMES = NAMES | {id_: os.fsdecode(name) for id_, name in BYTES.items()}
REFUSED = b"hello,you\n1,2\n"


def assert_safe(
    terminal: Terminal, *command: str, codes: tuple[int, ...] = (0,)
) -> str:
    """Run a command; all that it prints is safe, and it does not crash."""
    done = terminal.run(*command)

    assert is_safe(done.out + done.err), command
    assert "Unexpected" not in done.err, command
    assert done.code in codes, (command, done.err)
    return done.out + done.err


@pytest.mark.parametrize("name", FILE_NAMES.values(), ids=FILE_NAMES)
def test_import_of_a_file_prints_and_writes_nothing_unsafe(
    terminal: Terminal, name: str
) -> None:
    """The report is where its printed path says, in the folder of reports."""
    rows = csv_bytes(appointment("A-1"), appointment("A-2", isSale="?"))
    (terminal.folder / f"{name}.csv").write_bytes(rows)

    printed = assert_safe(terminal, "import", "--", f"{name}.csv")

    reports = terminal.folder / ".salespro" / "reports"
    [report] = reports.rglob("report.html")
    assert report.parent.parent.parent == reports
    assert sorted(path.name for path in terminal.folder.iterdir()) == sorted(
        [".salespro", f"{name}.csv"]
    )
    path = re.sub(r"[\u00a0\u3000]", " ", str(report.relative_to(terminal.folder)))
    assert f"Report: {path}\n" in printed


@pytest.fixture
def imports(conn: Connection) -> list[str]:
    """Keys of imports in the history, each with an error that may quote its key."""
    for key in KEYS.values():
        run(conn, REFUSED, upload(object_key=key))
    return list(KEYS.values())


def test_commands_that_read_the_history_print_no_control_of_a_key(
    terminal: Terminal, imports: list[str]
) -> None:
    count = str(len(imports))

    for limit in ("1", count):
        assert_safe(terminal, "history", "--limit", limit)
    listed = json.loads(assert_safe(terminal, "history", "--json", "--limit", count))
    for number in range(1, len(imports), 4):
        assert_safe(terminal, "show", str(number))
    assert_safe(terminal, "show", "1", "--json")
    for number in range(1, len(imports), 4):
        assert_safe(terminal, "changes", str(number))
    assert_safe(terminal, "changes", "1", "--json")
    assert_safe(terminal, "analyze")

    assert {
        import_["file"].partition("salespro-uploads/")[2] for import_ in listed
    } == {*imports}


def test_changes_print_no_control_of_a_key_or_a_cell(
    terminal: Terminal, conn: Connection
) -> None:
    # Postgres cannot store NUL, and the id of a row has at most 50 characters.
    texts = {name.replace("\0", "") for name in NAMES.values()}
    ids = {text[:40] for text in texts} - {""}
    for day, last_name in enumerate(sorted(texts), 1):
        rows = [
            appointment(
                id_,
                customer_nameLast=last_name[:100],
                _updated_at=f"2025-06-{day:02}T00:00:00Z",
            )
            for id_ in ids
        ]
        run(conn, csv_bytes(*rows), upload(object_key=f"{last_name}.csv"))

    for number in ("1", "2", "3"):
        assert_safe(terminal, "changes", number, "--limit", "100")
        assert_safe(terminal, "changes", number, "--limit", "100", "--json")
    for id_ in ids:
        assert_safe(terminal, "changes", "--id", id_, codes=(0, 1))
        assert_safe(terminal, "changes", "--id", id_, "--json", codes=(0, 1))


def test_undo_prints_and_writes_nothing_unsafe(
    terminal: Terminal, conn: Connection
) -> None:
    # Postgres cannot store NUL, and the id of a row has at most 50 characters.
    texts = sorted({name.replace("\0", "") for name in NAMES.values()} - {""})
    for day, text in enumerate(texts, 1):
        rows = [
            appointment(
                id_,
                customer_nameLast=text[:100],
                _updated_at=f"2025-06-{day:02}T00:00:00Z",
            )
            for id_ in {text[:40] for text in texts}
        ]
        run(conn, csv_bytes(*rows), upload(object_key=f"{text}.csv"))
    count = len(texts)

    for number in (1, 2, count):
        assert_safe(terminal, "undo", str(number), "--dry-run")
        assert_safe(terminal, "undo", str(number), "--json")
    assert_safe(terminal, "undo", str(count + 3))
    for number in range(count + 1, count + 5):
        assert_safe(terminal, "show", str(number))
        assert_safe(terminal, "changes", str(number))
    assert_safe(terminal, "history")

    reports = terminal.folder / ".salespro" / "reports"
    assert sorted(path.name for path in reports.iterdir()) == [
        f"undo-of-import-{number}"
        for number in sorted(("1", "2", str(count), str(count + 3)))
    ]
    for text_report in reports.rglob("report.txt"):
        assert is_safe(text_report.read_text("utf-8"))


def test_watch_prints_no_control_of_a_key(terminal: Terminal, conn: Connection) -> None:
    with watching(terminal) as (process, output):
        wait_until(conn, WATCHING)
        for key in KEYS.values():
            run(conn, REFUSED, upload(object_key=key))
        wait_for(lambda: output.read_text().count(" failed ") == len(KEYS))
        process.kill()

    assert is_safe(output.read_text())


def test_live_table_of_watch_obeys_no_key(terminal: Terminal, conn: Connection) -> None:
    """The table itself is drawn with escape sequences, but not with these."""
    for key in KEYS.values():
        claims.claim(conn, upload(object_key=key))

    printed = terminal.run_in_pty("watch", interrupt_at=".csv")

    allowed = re.sub(r"\x1b\[[\d;?]*[mhlAKGJ]|\r|\n", "", printed)
    assert is_safe(allowed), [c for c in allowed if not c.isprintable()]
    assert not re.search(r"\x1b\[[23]J", printed)


# --- S3 -------------------------------------------------------------------------------


@pytest.fixture
def bucket(
    moto_endpoint: tuple[str, int],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[UploadBucket]:
    """A new bucket."""
    with open_upload_bucket(moto_endpoint, database_url, monkeypatch) as bucket:
        yield bucket


@pytest.fixture
def cloud_terminal(bucket: UploadBucket, tmp_path: Path, database_url: str) -> Terminal:
    """A terminal whose commands use the database and moto's server."""
    return Terminal(
        tmp_path,
        {
            "DATABASE_URL": database_url,
            "AWS_ENDPOINT_URL": bucket.s3.meta.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "NO_PROXY": "127.0.0.1",
        },
    )


def test_reconcile_prints_each_key_without_controls(
    bucket: UploadBucket, cloud_terminal: Terminal
) -> None:
    # The server of moto writes keys into XML as they are.
    keys = {key for key in KEYS.values() if not re.search("[\0-\x1f\ufffe\uffff]", key)}
    for key in keys:
        bucket.put(key)

    listed = assert_safe(cloud_terminal, "reconcile", "--bucket", bucket.name)
    as_json = assert_safe(
        *(cloud_terminal, "reconcile", "--bucket", bucket.name, "--json"),
        *("--redrive", "--queue-url", bucket.queue_url),
    )

    assert listed.count("missed  ") == len(keys)
    *uploads, _ = map(json.loads, as_json.splitlines())
    assert {each["key"] for each in uploads} == keys
    assert len(bucket.take_messages()) == len(keys)


@pytest.mark.parametrize(
    "id_", ["clear", "bidi", "long", "304-bytes", "1024-bytes", "parent", "absolute"]
)
def test_import_of_an_object_keeps_its_report_in_the_folder(
    bucket: UploadBucket, cloud_terminal: Terminal, id_: str
) -> None:
    bucket.put(KEYS[id_])

    assert_safe(cloud_terminal, "import", f"s3://{bucket.name}/{KEYS[id_]}")

    reports = cloud_terminal.folder / ".salespro" / "reports"
    [report] = reports.rglob("report.html")
    assert report.parent.parent.parent == reports
    assert [path.name for path in cloud_terminal.folder.iterdir()] == [".salespro"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        *(
            pytest.param(os.fsdecode(name) + ".csv", "is not valid Unicode", id=id_)
            for id_, name in BYTES.items()
        ),
        pytest.param("a" * MAX_KEY_BYTES + "b", "more than 1,024 bytes", id="long"),
        pytest.param("ü" * 513, "more than 1,024 bytes", id="long-in-bytes"),
    ],
)
@pytest.mark.parametrize("option", ["--json", "--dry-run"])
def test_key_that_no_object_can_have_is_one_error_line(
    terminal: Terminal, key: str, reason: str, option: str
) -> None:
    """Without a request to S3: nothing here says where S3 is."""
    done = terminal.run("import", option, f"s3://bucket/{key}")

    assert reason in done.error
    assert "was not imported" in done.error
    assert is_safe(done.err)
