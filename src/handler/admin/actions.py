"""Run the actions `{"action": "check"}`, `"migrate"`, `"reconcile"` and `"undo"`.

An operator invokes them for a database that only the function can reach, such as one in a
VPC; a schedule can invoke them too.  An answer is for people, and contains no secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger

from handler.admin.bucket_checks import problem_of_name
from handler.admin.preflight import check_all
from handler.admin.reconcile import reconcile as reconcile_bucket
from handler.admin.undo import undo
from handler.aws.db_connection import Connections
from handler.aws.s3_object import CLIENT_CONFIG
from handler.settings import Settings
from salespro_core.errors import SalesProError
from salespro_core.postgres import connection
from salespro_core.postgres.schema import expected_schema
from salespro_core.preflight.migration import migration_effect

Answer = dict[str, Any]

# A reconciliation compares the uploads of the last hours.
DEFAULT_HOURS = 72
MAX_HOURS = 24 * 365
# Younger uploads are skipped: their notification may still be in the queue.
IN_FLIGHT_GRACE = timedelta(hours=1)


class UnknownAction(ValueError):
    """The action does not exist; the message lists the actions."""


class ScheduledActionFailed(RuntimeError):
    """An action that a schedule started has failed; its log line says why."""


def run_action(
    event: Mapping[str, Any], logger: Logger, remaining_s: Callable[[], float]
) -> Answer:
    """Run the action of an event, and log its answer in one line.

    Args:
        event: has `action`; `scheduled` is true if nobody reads the answer.
        logger: for the line.
        remaining_s: seconds until the function's timeout.

    Returns:
        `action`, `ok` and the findings.  A failed action is an answer too.

    Raises:
        UnknownAction: the action does not exist.
        ScheduledActionFailed: the event is `scheduled` and the action failed, so that
            Lambda retries it and an alarm is raised.
    """
    name = event["action"]
    if not isinstance(name, str) or name not in ACTIONS:
        known = ", ".join(f'{{"action": "{known}"}}' for known in sorted(ACTIONS))
        logger.error("unknown action")
        # The unknown name is not quoted: it may be any text.
        raise UnknownAction(f"Unknown action. The actions are {known}.")
    answer = ACTIONS[name](event, remaining_s)
    if answer["ok"]:
        logger.info("action done", **answer)
    else:
        logger.error("action failed", **answer)
    if event.get("scheduled") and not answer["ok"]:
        raise ScheduledActionFailed(f"{name} failed: see the previous line of the log.")
    return answer


def check(event: Mapping[str, Any], _remaining_s: Callable[[], float]) -> Answer:
    """Check whether imports can work; see `preflight.check_all`.

    Args:
        event: its optional `bucket` is an upload bucket, checked with UPLOAD_BUCKETS.
    """
    bucket = event.get("bucket")
    findings = check_all(
        os.environ,
        boto3.client("s3", config=CLIENT_CONFIG),
        upload_bucket=bucket if isinstance(bucket, str) else None,
    )
    return {
        "action": "check",
        "ok": not any(finding.problems for finding in findings),
        "checks": [finding.as_json() for finding in findings],
    }


def migrate(_event: Mapping[str, Any], _remaining_s: Callable[[], float]) -> Answer:
    """Create or update the tables with the function's role; idempotent."""
    try:
        connections = Connections(Settings.from_env(os.environ))
        with closing(connections.connect()) as conn:
            effect = migration_effect(conn)
            connection.migrate(conn)
    except SalesProError as error:
        return {
            "action": "migrate",
            "ok": False,
            "says": f"Nothing was changed. {error}",
            "remedy": (
                "Correct this and run the action again. A role that may not create or "
                "alter the tables cannot migrate: their owner can run `salespro migrate`, "
                "see docs/deploy.md."
            ),
        }
    return {
        "action": "migrate",
        "ok": True,
        "says": f"The tables {effect}. Their schema is {expected_schema().version}.",
    }


def reconcile(event: Mapping[str, Any], _remaining_s: Callable[[], float]) -> Answer:
    """Send unimported uploads to the queue again, except failed ones (refused files).

    Args:
        event: has `bucket` and `queue_url`, and optionally `hours`.
    """
    bucket, queue_url = event.get("bucket"), event.get("queue_url")
    hours = event.get("hours", DEFAULT_HOURS)
    # type(): isinstance() accepts a bool as an int.
    if not (
        isinstance(bucket, str)
        and isinstance(queue_url, str)
        and type(hours) is int
        and 0 < hours <= MAX_HOURS
    ):
        return {
            "action": "reconcile",
            "ok": False,
            "says": "Nothing was compared: the event needs a bucket and a queue_url.",
            "remedy": (
                'Invoke with {"action": "reconcile", "bucket": …, "queue_url": …}, and '
                f'optionally "hours", from 1 to {MAX_HOURS:,}.'
            ),
        }
    now = datetime.now(UTC)
    try:
        settings = Settings.from_env(os.environ)
        if problem := problem_of_name(bucket, settings):
            return {
                "action": "reconcile",
                "ok": False,
                "says": f"Nothing was compared: {problem.description}.",
                "remedy": f"Correct the event, or {problem.remedy}.",
            }
        with closing(Connections(settings).connect()) as conn:
            tally = reconcile_bucket(
                boto3.client("s3", config=CLIENT_CONFIG),
                bucket,
                conn,
                sqs=boto3.client("sqs", config=CLIENT_CONFIG),
                queue_url=queue_url,
                since=now - timedelta(hours=hours),
                until=now - IN_FLIGHT_GRACE,
                skip_failed=True,
                prefix=settings.upload_prefix,
                suffix=settings.upload_suffix,
            )
    except SalesProError as error:
        return {
            "action": "reconcile",
            "ok": False,
            "says": f"The reconciliation stopped early. {error}",
            "remedy": (
                "Correct this and run the action again; an upload that is sent twice is "
                "imported once."
            ),
        }
    return {
        "action": "reconcile",
        "ok": True,
        "says": f"{tally.sent} of {tally.uploads} uploads were sent to the queue again.",
        **asdict(tally),
    }


Action = Callable[[Mapping[str, Any], Callable[[], float]], Answer]
ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {"check": check, "migrate": migrate, "reconcile": reconcile, "undo": undo}
)
