"""The message that people get of an import that failed or has rejects."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.events import Notification
from salespro_core.errors import SalesProError
from salespro_core.model.outcome import Outcome
from salespro_core.report.text_report import printable, verdict

# The import is done: nobody waits for long on the way to a topic.
_CLIENT = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 2, "mode": "standard"},
)
# A header may have labels of any length, and an error names them.
MOST_CHARACTERS = 4000


class Notices:
    """Sends them to a topic, if there is one.

    How an import ended is told once at most, after the history says it: a notice that
    cannot be sent, or whose function dies before, is in the log, the history and the
    report all the same.
    """

    def __init__(self, topic_arn: str | None, logger: Logger) -> None:
        self._topic_arn = topic_arn
        self._logger = logger
        self._client: Any = None

    def of_outcome(self, outcome: Outcome, report: str | None) -> None:
        """Tell what a person may have to look at: a failure, or rejects."""
        if outcome.is_dry_run or outcome.already_imported:
            return
        if outcome.error is not None:
            subject = "SalesPro import failed"
        elif outcome.counts.rejected:
            subject = "SalesPro import has rejected rows"
        else:
            return
        place = [f"Report: {report}"] if report else []
        key = outcome.upload.object_key
        self.send(subject, verdict(outcome), *place, object_key=key)

    def of_set_up(self, notification: Notification, error: SalesProError) -> None:
        """Tell that an upload has to wait until what it needs is mended."""
        self.send(
            "SalesPro import failed",
            f"s3://{notification.bucket}/{notification.object_key} is not imported yet. "
            f"{error}",
            "It is tried again a few times, and then waits in the dead-letter queue.",
            object_key=notification.object_key,
        )

    def send(self, subject: str, *lines: str, object_key: str) -> None:
        """Publish it; that it cannot be is logged, and no harm to the import.

        Args:
            subject: ASCII, less than 100 characters.
            lines: the message, without any cell.
            object_key: of the upload, for the log.
        """
        if self._topic_arn is None:
            return
        text = "\n".join(printable(line)[:MOST_CHARACTERS] for line in lines)
        try:
            self._sns(self._topic_arn).publish(
                TopicArn=self._topic_arn, Subject=subject, Message=text
            )
        except (ClientError, BotoCoreError) as error:
            code = (
                error.response["Error"]["Code"]
                if isinstance(error, ClientError)
                else type(error).__name__
            )
            self._logger.warning(
                "notice not sent",
                key=object_key,
                error=f"SNS did not take it ({code}): check NOTIFY_TOPIC_ARN, that the "
                "function's role may call sns:Publish on it and use its key, and, in a "
                "VPC, the way to SNS.",
                error_type=type(error).__name__,
            )

    def _sns(self, topic_arn: str) -> Any:  # noqa: ANN401 -- boto3's, which has no stubs here
        if self._client is None:
            region = topic_arn.split(":")[3]
            self._client = boto3.client("sns", region_name=region, config=_CLIENT)
        return self._client
