"""The objects of a report are written at once; the rejects before what names them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from handler.aws.report_store import put_report
from salespro_cli.sandbox.local_aws import REPORTS
from salespro_core.errors import ObjectUnavailable
from salespro_core.model.outcome import Outcome
from salespro_core.model.rejects import Problem, Reject
from salespro_core.records.rejects_file import Rejects
from tests.support.builders import appointment, batch, upload
from tests.support.function.cloud import Cloud

TEXTS = ["report.html", "report.json", "report.txt"]
OUTCOME = Outcome(upload=upload(), status="completed", is_dry_run=False, seconds=0.0)


def on_put(cloud: Cloud, act: Callable[[str], None]) -> None:
    """Call `act` with the name of each object that is put, in the request's thread."""

    def hook(params: dict[str, Any], **_: object) -> None:
        act(params["Key"].rpartition("/")[2])

    cloud.s3.meta.events.register("before-parameter-build.s3.PutObject", hook)


def test_requests_of_a_report_do_not_wait_for_each_other(cloud: Cloud) -> None:
    """The import of a small file takes less time than a request."""
    names: list[str] = []
    together = Barrier(len(TEXTS), timeout=20)

    def meet(name: str) -> None:
        names.append(name)
        if name in TEXTS:
            together.wait()

    on_put(cloud, meet)
    with Rejects() as rejects:
        rejects.add(
            batch(appointment())[0], Reject(2, (Problem(None, "is bad"),), ("a",))
        )
        location = put_report(cloud.s3, REPORTS, "a/", OUTCOME, rejects)

    assert location == f"s3://{REPORTS}/a/"
    assert names[0] == "rejects.csv"
    assert sorted(names[1:]) == TEXTS
    assert set(cloud.reports()) == {"a/rejects.csv", *(f"a/{name}" for name in TEXTS)}


@pytest.mark.parametrize("name", TEXTS)
def test_error_of_one_request_is_that_of_the_report(cloud: Cloud, name: str) -> None:
    def fail(put: str) -> None:
        if put == name:
            raise EndpointConnectionError(endpoint_url="https://s3.example.com")

    on_put(cloud, fail)

    with Rejects() as rejects, pytest.raises(ObjectUnavailable, match="could not be"):
        put_report(cloud.s3, REPORTS, "a/", OUTCOME, rejects)

    assert set(cloud.reports()) == {f"a/{text}" for text in TEXTS if text != name}
