"""What the function does when it is asked by hand: `{"action": "check"}` or "migrate".

For a database that only the function can reach, such as one in a VPC, and for after a
deployment.  Each answer is meant to be read by people, and has no secret in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger

from handler.checks import check_all
from handler.connection import Connections
from handler.objects import CLIENT
from handler.settings import Settings
from salespro_core import database
from salespro_core.errors import SalesProError
from salespro_core.schema import schema

Answer = dict[str, Any]


class UnknownAction(ValueError):
    """There is no such action; the message names those that there are."""


def answer(event: Mapping[str, Any], logger: Logger) -> Answer:
    """Do what the event asks for, log it in one line, and say what came of it.

    Returns:
        `action`, `ok`, and what is to be said; what is wrong is no exception.

    Raises:
        UnknownAction: nothing was done.
    """
    name = event["action"]
    if not isinstance(name, str) or name not in ACTIONS:
        known = " and ".join(f'{{"action": "{known}"}}' for known in sorted(ACTIONS))
        logger.error("unknown action")
        # What was asked for is not repeated: nobody knows what it is.
        raise UnknownAction(f"There is no such action. There are {known}.")
    done = ACTIONS[name](event)
    tell = logger.info if done["ok"] else logger.error
    tell("action done" if done["ok"] else "action failed", **done)
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
            database.migrate(conn)
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


ACTIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], Answer]]] = MappingProxyType(
    {"check": check, "migrate": migrate}
)
