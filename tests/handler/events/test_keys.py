"""Object keys in notifications: encoded or not, of an export or not, a dry run or not."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.events import Ignored, Notification, read_message, read_notifications
from tests.support.function.notifications import (
    eventbridge_event,
    notification,
    s3_event,
)

NOT_CSV = "the object is neither .csv nor .csv.gz"
FOLDER = "the object is a folder marker"


@given(stem=st.text())
def test_encoded_key_of_s3_is_decoded_once(stem: str) -> None:
    """A key that looks encoded keeps its percent signs."""
    key = f"{stem}.csv"

    (result,) = read_message(json.dumps(s3_event(quote_plus(key))))

    assert result == notification(key)


@given(stem=st.text())
def test_key_of_eventbridge_is_not_decoded(stem: str) -> None:
    key = f"{stem}.csv"

    assert read_notifications(eventbridge_event(key)) == [notification(key)]


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        pytest.param("a+b.csv", "a b.csv", id="plus"),
        pytest.param("a%2Bb.csv", "a+b.csv", id="encoded-plus"),
        pytest.param("a%20b.csv", "a b.csv", id="percent-20"),
        pytest.param("50%2525.csv", "50%25.csv", id="encoded-twice"),
        pytest.param("a/b%2Fc.csv", "a/b/c.csv", id="slashes"),
        pytest.param("50%.csv", "50%.csv", id="percent-alone"),
        pytest.param("50%zz.csv", "50%zz.csv", id="percent-not-hexadecimal"),
        pytest.param("50%FF.csv", "50%FF.csv", id="percent-not-utf-8"),
        pytest.param("Müller 1.csv", "Müller 1.csv", id="not-encoded"),
    ],
)
def test_encoded_key_of_s3_has_this_key(encoded: str, key: str) -> None:
    assert read_notifications(s3_event(encoded)) == [notification(key)]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        pytest.param("exports/", FOLDER, id="folder"),
        pytest.param("exports.csv/", FOLDER, id="folder-with-a-suffix"),
        pytest.param("sales.xlsx", NOT_CSV, id="spreadsheet"),
        pytest.param("sales.csv.bak", NOT_CSV, id="suffix-not-last"),
        pytest.param("sales.gz", NOT_CSV, id="gz-only"),
        pytest.param("csv", NOT_CSV, id="no-suffix"),
    ],
)
def test_object_that_is_not_an_export_is_ignored_with_a_reason(
    key: str, reason: str
) -> None:
    assert read_notifications(s3_event(key)) == [Ignored(reason, key)]


@pytest.mark.parametrize("key", ["A.CSV", "a.Csv", "a.csv.gz", "a.CSV.GZ", "x/.csv"])
def test_suffix_in_any_case_is_an_upload(key: str) -> None:
    assert read_notifications(s3_event(key)) == [notification(key)]


@pytest.mark.parametrize(
    ("key", "is_dry_run"),
    [
        ("dryrun/a.csv", True),
        ("dryrun/june/a.csv", True),
        ("dryrun.csv", False),
        ("june/dryrun/a.csv", False),
    ],
)
def test_key_under_dryrun_is_a_dry_run(
    key: str,
    is_dry_run: bool,  # noqa: FBT001
) -> None:
    assert notification(key).is_dry_run is is_dry_run


@pytest.mark.parametrize(
    ("key", "written_key"),
    [
        ("p+q.csv", "p+q.csv"),
        ("p%2Bq.csv", "p%2Bq.csv"),
        ("a.csv", None),
        ("50%.csv", None),
        ("Müller 1.csv", None),
        ("a%2Ecsv", None),  # as it is written, it has no suffix of an export
        # As they are written, S3 would refuse a request for them.
        (quote_plus("ü" * 250 + ".csv"), None),
        (quote_plus("売" * 114 + ".csv"), None),
        ("+" + "a" * 1020 + ".csv", None),
        ("+" + "a" * 1019 + ".csv", "+" + "a" * 1019 + ".csv"),
        (quote_plus("ü" * 170 + ".csv"), quote_plus("ü" * 170 + ".csv")),
        ("%20\0.csv", None),
        ("%20\ud800.csv", None),
    ],
)
def test_key_as_written_is_kept_if_decoding_changed_it(
    key: str, written_key: str | None
) -> None:
    [parsed] = read_notifications(s3_event(key))

    assert isinstance(parsed, Notification)
    assert parsed.written_key == written_key
