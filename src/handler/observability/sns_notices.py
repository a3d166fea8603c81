"""SNS messages to people about imports that failed or rejected rows."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.error_codes import Cause
from handler.aws.errors import failure_of
from handler.events import Notification
from salespro_core.errors import SalesProError
from salespro_core.model.outcome import Outcome
from salespro_core.report.text_report import replace_unprintable
from salespro_core.report.verdict import verdict

# Short timeouts: an unreachable topic must not use up the time reserved for the end of
# the invocation.
_CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 2, "mode": "standard"},
)
# Per line.  An error quotes labels, which can have any length; SNS accepts 256 KB.
MAX_CHARACTERS = 4000


class Notices:
    """Publishes messages to the SNS topic, if one is configured.

    An outcome is published at most once, after it is in the history.  If a message cannot
    be sent, the log, the history and the report still have the same information.
    """

    def __init__(self, topic_arn: str | None, logger: Logger) -> None:
        self._topic_arn = topic_arn
        self._logger = logger
        self._client: Any = None

    def send_outcome(self, outcome: Outcome, report: str | None) -> None:
        """Publish the outcome if the import failed or rejected rows."""
        if outcome.is_dry_run or outcome.already_imported:
            return
        if outcome.error is not None:
            subject = "SalesPro import failed"
        elif outcome.counts.rejected:
            subject = "SalesPro import has rejected rows"
        else:
            return
        lines = [verdict(outcome)]
        if report:
            lines.append(f"Report: {report}")
        self.send(subject, *lines, object_key=outcome.upload.object_key)

    def send_setup_failure(
        self, notification: Notification, error: SalesProError
    ) -> None:
        """Publish that an upload waits until the configuration is corrected."""
        self.send(
            "SalesPro import failed",
            f"s3://{notification.bucket}/{notification.object_key} is not imported yet. "
            f"{error}",
            "It is tried again a few times, and then waits in the dead-letter queue.",
            object_key=notification.object_key,
        )

    def send(self, subject: str, *lines: str, object_key: str) -> None:
        """Publish a message; a failure is logged and does not affect the import.

        Args:
            subject: ASCII, less than 100 characters.
            lines: of the message, without any cell.
            object_key: of the upload, for the log.
        """
        if self._topic_arn is None:
            return
        text = "\n".join(replace_unprintable(line)[:MAX_CHARACTERS] for line in lines)
        try:
            self._sns(self._topic_arn).publish(
                TopicArn=self._topic_arn, Subject=subject, Message=text
            )
        except (ClientError, BotoCoreError) as error:
            failure = failure_of(
                error,
                "sns:Publish on the topic, and kms:GenerateDataKey and kms:Decrypt on its "
                "key",
            )
            # The topic's region, which is in its ARN, may be why SNS was not reached.
            is_passing = failure.cause is Cause.PASSING and isinstance(
                error, ClientError
            )
            setting = "" if is_passing else "check NOTIFY_TOPIC_ARN; "
            self._logger.warning(
                "notice not sent",
                key=object_key,
                error=f"SNS did not accept the message ({failure.code}): "
                f"{setting}{failure.fix}.",
                error_type=type(error).__name__,
            )

    def _sns(self, topic_arn: str) -> Any:  # noqa: ANN401 -- boto3's, which has no stubs here
        if self._client is None:
            region = topic_arn.split(":")[3]
            self._client = boto3.client(
                "sns", region_name=region, config=_CLIENT_CONFIG
            )
        return self._client
