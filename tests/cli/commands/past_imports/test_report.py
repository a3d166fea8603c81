"""Acceptance: `salespro report`."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest
from psycopg import Connection

from salespro_cli.sandbox.local_aws import REGION
from salespro_core.sync_history import claims, completion
from tests.support.builders import appointment, csv_bytes, upload
from tests.support.import_runs import run
from tests.support.terminal import Terminal, wait_for


@pytest.fixture
def opened(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which the desktop's opener, a script of this test, writes its argument."""
    folder = terminal.folder / "bin"
    folder.mkdir()
    opened = terminal.folder / "opened"
    script = folder / "xdg-open"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{opened}.part"\n'
        f'mv "{opened}.part" "{opened}"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return opened


def import_files(terminal: Terminal, *names: str) -> list[str]:
    """Import a file of each name; the path of each report."""
    pages = []
    for name in names:
        terminal.write(name, csv_bytes(appointment(name)))
        done = terminal.run("import", name)
        [page] = [line for line in done.out.splitlines() if line.startswith("Report: ")]
        pages.append(page.removeprefix("Report: "))
    return pages


def test_report_prints_the_path_of_the_newest_or_the_named_report_and_nothing_else(
    terminal: Terminal,
) -> None:
    first, second = import_files(terminal, "a.csv", "b.csv")
    below = Terminal(terminal.folder / "below", terminal.environ)
    below.folder.mkdir()

    newest, named, from_below = (
        terminal.run("report"),
        terminal.run("report", "1"),
        below.run("report", "1"),
    )
    as_json = terminal.run("report", "--json", "1").json()

    assert (newest.code, newest.out, newest.err) == (0, f"{second}\n", "")
    assert named.out == f"{first}\n"
    assert from_below.out == f"{terminal.folder}/{first}\n"
    assert as_json == {
        "id": 1,
        "file": f"{terminal.folder}/a.csv",
        "report": str((terminal.folder / first).parent),
        "page": f"{terminal.folder}/{first}",
        "database": terminal.run("history", "--json").json()[0]["database"],
    }


def test_open_passes_the_earlier_report_to_the_opener(
    terminal: Terminal, opened: Path
) -> None:
    first, _ = import_files(terminal, "a.csv", "b.csv")

    done = terminal.run("report", "1", "--open", DISPLAY=":0")

    wait_for(opened.exists)
    assert (done.code, done.err) == (0, "")
    assert opened.read_text() == f"{terminal.folder}/{first}\n"


def test_newest_import_without_a_report_is_passed_over(
    terminal: Terminal, conn: Connection
) -> None:
    [page] = import_files(terminal, "a.csv")
    claims.claim(conn, upload(object_key="running.csv"))

    assert terminal.run("report").out == f"{page}\n"


def test_import_without_a_report_is_named_with_the_reason(
    terminal: Terminal, conn: Connection
) -> None:
    none_yet = terminal.run("report").error
    run(conn, csv_bytes(appointment()))
    claims.claim(conn, upload(object_key="running.csv"))
    running, written, unknown = (
        terminal.run("report", id_).error for id_ in ("2", "1", "7")
    )

    assert none_yet.endswith(" has a report. Try: salespro history")
    assert running == ("Import 2 has no report: it has not ended. See: salespro show 2")
    assert written == ("Import 1 has no report: none was written. See: salespro show 1")
    assert unknown.startswith("Import 7 does not exist.")


def test_deleted_report_is_named_with_its_path(terminal: Terminal) -> None:
    [page] = import_files(terminal, "a.csv")
    (terminal.folder / page).unlink()

    assert terminal.run("report").error == (
        "The report of import 1 cannot be read here (No such file or directory): "
        f"{page}. It was deleted, or the import ran on another machine."
    )


def test_report_that_everyone_may_change_is_not_opened(
    terminal: Terminal, opened: Path
) -> None:
    """The location is from the database, which other people write."""
    [page] = import_files(terminal, "a.csv")
    (terminal.folder / page).parent.chmod(0o777)

    done = terminal.run("report", "--open", DISPLAY=":0")

    assert done.error.startswith("Every user may write to ")
    assert not opened.exists()


@pytest.mark.parametrize("command", ["report", "show"])
@pytest.mark.parametrize(
    "id_", ["abc", "0", "1.5", "", " ", "7a", "9" * 30, "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_id_that_is_no_number_names_the_command_that_lists_the_ids(
    terminal: Terminal, command: str, id_: str
) -> None:
    done = terminal.run(command, id_)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"Error: Invalid value for 'ID': {id_!r} is "
        "not the number of an import, such as 7; `salespro history` lists the imports. "
        f"Try: salespro {command} --help\n"
    )


def test_id_may_be_written_with_a_number_sign(terminal: Terminal) -> None:
    [page] = import_files(terminal, "a.csv")

    assert terminal.run("report", "#1").out == f"{page}\n"


@pytest.fixture
def in_s3(
    terminal: Terminal, conn: Connection, moto_endpoint: tuple[str, int]
) -> tuple[Terminal, str]:
    """A terminal with access to S3, and the location of a report of the function."""
    endpoint = "http://{}:{}".format(*moto_endpoint)
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "NO_PROXY": "127.0.0.1",
    }
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 -- of moto
    )
    bucket = f"reports-{uuid.uuid4().hex}"
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    s3.put_object(Bucket=bucket, Key="a b.csv/1/report.html", Body=b"<html>the page")
    location = f"s3://{bucket}/a b.csv/1/"
    claim = claims.claim(conn, upload())
    completion.complete(conn, claim, report=location)
    return Terminal(terminal.folder, terminal.environ | variables), location


def test_report_in_s3_is_named_with_the_commands_that_open_and_copy_it(
    in_s3: tuple[Terminal, str],
) -> None:
    terminal, location = in_s3

    done = terminal.run("report")

    assert (done.code, done.out) == (0, f"{location}report.html\n")
    assert done.err == (
        "It is in S3. To open it: salespro report 1 --open. To copy it: "
        f"aws s3 cp '{location}report.html' .\n"
    )
    assert terminal.run("report", "--json").json()["page"] == f"{location}report.html"


def test_open_of_a_report_in_s3_passes_a_link_that_works_and_is_not_printed(
    in_s3: tuple[Terminal, str], opened: Path
) -> None:
    terminal, location = in_s3

    done = terminal.run("report", "--open", DISPLAY=":0")

    wait_for(opened.exists)
    assert (done.code, done.out, done.err) == (0, f"{location}report.html\n", "")
    with urlopen(opened.read_text().strip()) as page:  # noqa: S310 -- of moto
        assert page.read() == b"<html>the page"


def test_open_without_a_display_prints_the_location_and_not_the_link(
    in_s3: tuple[Terminal, str],
) -> None:
    terminal, location = in_s3

    done = terminal.run("report", "--open", DISPLAY="", WAYLAND_DISPLAY="")

    assert (
        done.err == f"No display was found to open the report: {location}report.html\n"
    )


def test_open_of_a_missing_report_in_s3_names_it(
    in_s3: tuple[Terminal, str], conn: Connection
) -> None:
    terminal, location = in_s3
    missing = f"{location.rstrip('/')}2/"
    conn.execute("UPDATE salespro_sync_history SET report_location = %s", [missing])

    done = terminal.run("report", "--open", DISPLAY=":0")

    assert done.error == f"Object not found: {missing}report.html"
