"""The entry point: one invocation in, one response out."""

from __future__ import annotations

import gc

# Nothing that is made while modules load is garbage, and to look through all of it takes
# as long as our own modules do.
gc.disable()

import os
import traceback
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from handler import shutdown
from handler.aws.message_visibility import ask_again
from handler.aws.s3_object import CLIENT
from handler.events import (
    Ignored,
    MalformedNotification,
    Notification,
    read_message,
    read_notifications,
)
from handler.settings import Settings, log_level
from handler.upload_import import Importer
from salespro_core.errors import ConfigError, SalesProError

gc.freeze()
gc.enable()

# Said here: Powertools would not start at all with a level that it does not know.
os.environ["LOG_LEVEL"] = log_level(os.environ)
logger = Logger(service="salespro-importer")


@cache
def importer() -> Importer:
    """What one execution environment needs, made at the first invocation and kept.

    Raises:
        ConfigError: settings are missing or malformed.
    """
    settings = Settings.from_env(os.environ)
    return Importer(settings, boto3.client("s3", config=CLIENT), logger)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Import what the event announces, in any of the forms of `notifications`.

    An event with an `action` announces nothing: it asks for one of `actions.ACTIONS`.

    From a queue, the answer names the messages that are to come again; all others are
    done with.  An event without a queue fails as a whole if anything of it is to be tried
    again: what of it is imported will not be imported twice.

    Raises:
        SalesProError, MalformedNotification: only without a queue.
        UnknownAction: there is no such action.
        NotDone: what a schedule asked for.
    """
    if "action" in event:
        # What looks after a database is no part of the cold start of an import.
        from handler.admin import actions  # noqa: PLC0415

        return actions.answer(event, logger)
    with shutdown.kept_back():
        if _is_from_queue(event):
            return _import_messages(event, context)
        try:
            found = read_notifications(event)
        except MalformedNotification as error:
            _log_nothing_imported(error, {})
            raise
        return {"imports": _import_all(found, context)}


def _is_from_queue(event: Mapping[str, Any]) -> bool:
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            return True
        case _:
            return False


def _import_messages(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Import message by message, so that one that fails does not hold the others back."""

    def import_message(record: SQSRecord) -> None:
        try:
            count = int(record.attributes.approximate_receive_count)
            _import_all(_read(record), context, is_first=count == 1)
        except Exception as error:  # raised again, for Powertools
            ask_again(record, error)
            raise

    # An invocation that fails as a whole would bring back what is done as well.
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event, import_message, processor, context))


def _read(record: SQSRecord) -> list[Notification | Ignored]:
    try:
        return read_message(record.body)
    except MalformedNotification as error:
        _log_nothing_imported(error, {"message_id": record.message_id})
        raise


def _import_all(
    found: Iterable[Notification | Ignored],
    context: LambdaContext,
    *,
    is_first: bool = False,
) -> list[dict[str, Any]]:
    """Import each upload; one that fails does not hold the others back.

    Args:
        found: what to import.
        context: of the invocation.
        is_first: whether a queue delivers them, for the first time.

    Raises:
        Exception: the first failure that is to be tried again, after all were tried.
    """
    done = []
    failures: list[Exception] = []
    for notification in found:
        if isinstance(notification, Ignored):
            logger.info(
                "ignored", reason=notification.reason, key=notification.object_key
            )
            continue
        try:
            done.append(_import_one(notification, context, is_first=is_first))
        except Exception as error:  # noqa: BLE001 -- raised below, after the others
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def _import_one(
    notification: Notification, context: LambdaContext, *, is_first: bool
) -> dict[str, Any]:
    """Import an upload, and log what no import logs: the settings, or a mistake of ours.

    Of a mistake of ours only its name and place: its text may hold a cell.
    """
    upload: dict[str, Any] = {
        "bucket": notification.bucket,
        "key": notification.object_key,
    }
    try:
        run = importer().run
    except ConfigError as error:
        _log_nothing_imported(error, upload)
        raise
    try:
        return run(notification, context, is_first=is_first)
    except SalesProError:  # it has logged it
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        logger.critical(
            "unexpected error, please report it",
            error_type=type(error).__name__,
            at=[f"{frame.name}:{frame.lineno}" for frame in frames],
            **upload,
        )
        raise


def _log_nothing_imported(error: Exception, where: dict[str, Any]) -> None:
    """Say what is wrong with the settings, or with the event."""
    logger.error(
        "nothing imported", error=str(error), error_type=type(error).__name__, **where
    )
