"""What the function does when it is asked: `{"action": "check"}`, "migrate", "reconcile".

By hand, for a database that only the function can reach, such as one in a VPC; or by a
schedule.  Each answer is meant to be read by people, and has no secret in it.
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

from handler.admin.preflight import check_all
from handler.admin.reconcile import reconcile as find_and_redrive
from handler.aws.db_connection import Connections
from handler.aws.s3_object import CLIENT
from handler.settings import Settings
from salespro_core.errors import SalesProError
from salespro_core.postgres import connection
from salespro_core.postgres.schema import schema

Answer = dict[str, Any]

# How far back a reconciliation looks; and what is younger may be on its way.
HOURS = 72
MOST_HOURS = 24 * 365
ON_ITS_WAY = timedelta(hours=1)


class UnknownAction(ValueError):
    """There is no such action; the message names those that there are."""


class NotDone(RuntimeError):
    """What a schedule asked for is not done; the message says why."""


def answer(event: Mapping[str, Any], logger: Logger) -> Answer:
    """Do what the event asks for, log it in one line, and say what came of it.

    Args:
        event: `scheduled` if nobody is there to read the answer.

    Returns:
        `action`, `ok`, and what is to be said; what is wrong is no exception.

    Raises:
        UnknownAction: nothing was done.
        NotDone: of what is scheduled, so that it is tried again, and an alarm rings.
    """
    name = event["action"]
    if not isinstance(name, str) or name not in ACTIONS:
        known = ", ".join(f'{{"action": "{known}"}}' for known in sorted(ACTIONS))
        logger.error("unknown action")
        # What was asked for is not repeated: nobody knows what it is.
        raise UnknownAction(f"There is no such action. There are {known}.")
    done = ACTIONS[name](event)
    tell = logger.info if done["ok"] else logger.error
    tell("action done" if done["ok"] else "action failed", **done)
    if event.get("scheduled") and not done["ok"]:
        raise NotDone(f"{name} is not done: see the line before in the log.")
    return done


def check(event: Mapping[str, Any]) -> Answer:
    """Find out whether imports can work: see `checks.check_all`.

    Args:
        event: its `bucket`, if it has one, is the bucket of the uploads.
    """
    bucket = event.get("bucket")
    found = check_all(
        os.environ,
        boto3.client("s3", config=CLIENT),
        uploads=bucket if isinstance(bucket, str) else None,
    )
    return {
        "action": "check",
        "ok": not any(finding.problems for finding in found),
        "checks": [finding.as_json() for finding in found],
    }


def migrate(_event: Mapping[str, Any]) -> Answer:
    """Bring the tables up with the function's own role; may be done again."""
    try:
        connections = Connections(Settings.from_env(os.environ))
        with closing(connections.new()) as conn:
            connection.migrate(conn)
    except SalesProError as error:
        return {
            "action": "migrate",
            "ok": False,
            "says": f"Nothing was changed. {error}",
            "remedy": (
                "See to that, and ask again. A role that may not create or alter the "
                "tables cannot migrate: have their owner run `salespro migrate`, see "
                "the README under Deploy."
            ),
        }
    return {
        "action": "migrate",
        "ok": True,
        "says": f"The tables are up to date with schema {schema().version}.",
    }


def reconcile(event: Mapping[str, Any]) -> Answer:
    """Send the uploads that were never imported to the queue, but for refused files.

    Args:
        event: its `bucket` and `queue_url`, and perhaps for how many `hours`.
    """
    bucket, queue_url = event.get("bucket"), event.get("queue_url")
    hours = event.get("hours", HOURS)
    # Not bool, which is an int to Python.
    if not (
        isinstance(bucket, str)
        and isinstance(queue_url, str)
        and type(hours) is int
        and 0 < hours <= MOST_HOURS
    ):
        return {
            "action": "reconcile",
            "ok": False,
            "says": "Nothing was looked at: the event lacks what to look at.",
            "remedy": (
                'Ask with {"action": "reconcile", "bucket": …, "queue_url": …}, and '
                f'perhaps "hours", from 1 to {MOST_HOURS:,}.'
            ),
        }
    now = datetime.now(UTC)
    try:
        connections = Connections(Settings.from_env(os.environ))
        with closing(connections.new()) as conn:
            tally = find_and_redrive(
                boto3.client("s3", config=CLIENT),
                bucket,
                conn,
                sqs=boto3.client("sqs", config=CLIENT),
                queue_url=queue_url,
                since=now - timedelta(hours=hours),
                until=now - ON_ITS_WAY,
                skip_failed=True,
            )
    except SalesProError as error:
        return {
            "action": "reconcile",
            "ok": False,
            "says": f"It did not come to its end. {error}",
            "remedy": "See to that, and ask again; what was sent twice is imported once.",
        }
    return {
        "action": "reconcile",
        "ok": True,
        "says": f"{tally.sent} of {tally.uploads} uploads are sent to the queue again.",
        **asdict(tally),
    }


ACTIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], Answer]]] = MappingProxyType(
    {"check": check, "migrate": migrate, "reconcile": reconcile}
)
