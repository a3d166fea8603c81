"""The entry point: one invocation in, one response out."""

from __future__ import annotations

import gc

# Objects made while modules load are not garbage, and a collection that scans them takes as
# long as the import of our own modules.
gc.disable()

import os
import traceback
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from handler import shutdown
from handler.aws.continuation import continue_in_new_message
from handler.aws.message_visibility import receive_count, set_retry_delay
from handler.aws.s3_object import CLIENT_CONFIG
from handler.events import (
    Ignored,
    MalformedNotification,
    Notification,
    read_message,
    read_notifications,
)
from handler.observability.import_log import emit_metrics
from handler.observability.json_lines import to_json_line
from handler.settings import Settings, log_level
from handler.upload_import import Importer
from salespro_core.errors import ConfigError, SalesProError
from salespro_core.model.object_key import loggable

gc.freeze()
gc.enable()

# Set before Logger is made: Powertools raises an error for a level that it does not know.
os.environ["LOG_LEVEL"] = log_level(os.environ)
logger = Logger(service="salespro-importer", json_serializer=to_json_line)


@cache
def importer() -> Importer:
    """The importer of this execution environment, made at its first invocation.

    Raises:
        ConfigError: settings are missing or malformed.
    """
    settings = Settings.from_env(os.environ)
    return Importer(settings, boto3.client("s3", config=CLIENT_CONFIG), logger)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Import the uploads of an event, or run its `action`.

    Args:
        event: in any of the forms that `events` describes; or `{"action": …}`, with one
            of `actions.ACTIONS`.
        context: of the invocation.

    Returns:
        For SQS, `batchItemFailures`: the messages to deliver again; all others are done.
        For other notifications, `imports`: the log fields of each.  For an action, its
        answer.

    Raises:
        SalesProError: an upload must be delivered again; not raised for SQS.  Lambda then
            retries the whole event, and completed imports are not repeated.
        MalformedNotification: the event has an unknown form; not raised for SQS.
        UnknownAction: the action does not exist.
        ScheduledActionFailed: an action that a schedule started has failed.
    """
    if isinstance(event, Mapping) and "action" in event:
        from handler.admin import actions  # noqa: PLC0415 -- slow; no import needs it

        return actions.run_action(
            event, logger, lambda: context.get_remaining_time_in_millis() / 1000
        )
    with shutdown.defer_sigterm():
        if _is_from_queue(event):
            return _import_messages(event, context)
        try:
            notifications = read_notifications(event)
        except MalformedNotification as error:
            _log_nothing_imported(error, {})
            raise
        return {"imports": _import_uploads(notifications, context)}


def _is_from_queue(event: object) -> bool:
    match event:
        case {"Records": [*records]}:
            return any(map(_is_message, records))
        case _:
            return False


def _is_message(record: object) -> bool:
    match record:
        case {"eventSource": "aws:sqs"} | {"messageId": _, "receiptHandle": _}:
            return True
        case _:
            return False


def _import_messages(
    event: Mapping[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Import the messages one by one, so that a failed message does not block the others.

    Returns:
        The failed messages: only they are delivered again.  An import that ran out of time
        after some progress goes on with a new message, and its old message is done.

    Raises:
        Exception: of a failed message without an id, after all others were tried; the
            whole batch is delivered again, and completed imports are not repeated.
    """
    failed: list[dict[str, str]] = []
    without_id: list[Exception] = []
    for record in event["Records"]:
        message = record if isinstance(record, Mapping) else {}
        try:
            _import_uploads(
                _read(message), context, is_first_delivery=receive_count(message) == 1
            )
        except Exception as error:  # noqa: BLE001 -- logged where it was raised
            if continue_in_new_message(message, error, logger):
                continue
            set_retry_delay(message, error, logger)
            match message:
                case {"messageId": str(message_id)} if message_id:
                    failed.append({"itemIdentifier": message_id})
                case _:
                    without_id.append(error)
    if without_id:
        raise without_id[0]
    return {"batchItemFailures": failed}


def _read(message: Mapping[str, Any]) -> list[Notification | Ignored]:
    try:
        if not _is_message(message):
            return read_notifications({"Records": [message]})
        body = message.get("body")
        if not isinstance(body, str):
            raise MalformedNotification("expected the body of an SQS message")
        return read_message(body)
    except MalformedNotification as error:
        _log_nothing_imported(error, {"message_id": message.get("messageId")})
        raise


def _import_uploads(
    notifications: Iterable[Notification | Ignored],
    context: LambdaContext,
    *,
    is_first_delivery: bool = False,
) -> list[dict[str, Any]]:
    """Import each upload; a failed upload does not block the others.

    Returns:
        The log fields of each import.

    Raises:
        Exception: the first failure, after all uploads were tried.
    """
    imports = []
    failures: list[Exception] = []
    for notification in notifications:
        if isinstance(notification, Ignored):
            log = logger.warning if notification.needs_action else logger.info
            key = notification.object_key
            log("ignored", reason=notification.reason, key=key and loggable(key))
            continue
        try:
            imports.append(
                _import_upload(
                    notification, context, is_first_delivery=is_first_delivery
                )
            )
        except Exception as error:  # noqa: BLE001 -- raised below, after the others
            failures.append(error)
    if failures:
        raise failures[0]
    return imports


def _import_upload(
    notification: Notification, context: LambdaContext, *, is_first_delivery: bool
) -> dict[str, Any]:
    """Import an upload; log an invalid configuration, or a bug.

    For a bug, only the exception's type and position are logged: its text may hold a cell.
    """
    upload: dict[str, Any] = {
        "bucket": notification.bucket,
        "key": loggable(notification.object_key),
    }
    try:
        run = importer().run
    except ConfigError as error:
        emit_metrics("FilesInterrupted")
        _log_nothing_imported(error, upload)
        raise
    try:
        return run(notification, context, is_first_delivery=is_first_delivery)
    except SalesProError:  # logged by `Importer.run`
        raise
    except Exception as error:
        # An alarm on this metric rolls a release back.
        emit_metrics("FilesInterrupted")
        frames = traceback.extract_tb(error.__traceback__)
        logger.critical(
            "unexpected error, please report it",
            error_type=type(error).__name__,
            at=[f"{frame.name}:{frame.lineno}" for frame in frames],
            **upload,
        )
        raise


def _log_nothing_imported(error: Exception, source_fields: dict[str, Any]) -> None:
    """Log invalid settings, or an unknown form of event."""
    logger.error(
        "nothing imported",
        error=str(error),
        error_type=type(error).__name__,
        **source_fields,
    )
