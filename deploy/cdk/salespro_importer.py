"""A CDK construct: the function with its queues, from the zip of `make package`.

Settings that must fit the code are those of ../contract.json.  The buckets exist.

    SalesProImporter(
        stack,
        "Importer",
        package="../.aws-sam/importer.zip",
        uploads=uploads,
        reports=reports,
        secret=secret,
    )
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

CONTRACT: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "contract.json").read_text(encoding="utf-8")
)
VERIFIED_TLS = {
    "DB_SSLMODE": "verify-full",
    "DB_SSLROOTCERT": "/var/task/global-bundle.pem",
}


class SalesProImporter(Construct):
    """Imports the uploads of a bucket into Postgres."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: str,
        uploads: s3.IBucket,
        reports: s3.IBucket,
        secret: secretsmanager.ISecret | None = None,
        database_user_arn: str | None = None,
        environment: Mapping[str, str] = VERIFIED_TLS,
        vpc: ec2.IVpc | None = None,
        security_groups: list[ec2.ISecurityGroup] | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        """Create the resources.

        Args:
            package: path of the zip.
            uploads: bucket of the uploads; versioned.
            reports: another bucket.
            secret: with the connection; None for IAM authentication.
            database_user_arn: `arn:aws:rds-db:…:dbuser:…/…` for IAM authentication.
            environment: settings of the function (README.md).
            vpc: if Postgres is in one.
            security_groups: of the function, in the VPC.
            log_retention: until log lines are deleted.
        """
        super().__init__(scope, construct_id)
        if unknown := environment.keys() - set(CONTRACT["environment"]):
            raise ValueError(f"not a setting of the function: {', '.join(unknown)}")
        queue = CONTRACT["queue"]
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.seconds(queue["dead_letter_retention"]),
        )
        self.queue = sqs.Queue(
            self,
            "Uploads",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(queue["visibility_timeout"]),
            retention_period=Duration.seconds(queue["retention"]),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=queue["max_receive_count"]
            ),
        )
        self.log = logs.LogGroup(self, "Log", retention=log_retention)
        self.function = lambda_.Function(
            self,
            "Function",
            description="Imports SalesPro exports into Postgres",
            code=lambda_.Code.from_asset(package),
            handler=CONTRACT["handler"],
            runtime=lambda_.Runtime(CONTRACT["runtime"], lambda_.RuntimeFamily.PYTHON),
            architecture=lambda_.Architecture.custom(CONTRACT["architectures"][0]),
            timeout=Duration.seconds(CONTRACT["timeout"]),
            memory_size=CONTRACT["memory_size"],
            log_group=self.log,
            # A long import sends its own queue a message.
            recursive_loop=lambda_.RecursiveLoop.ALLOW,
            vpc=vpc,
            security_groups=security_groups,
            environment={
                **environment,
                "UPLOAD_BUCKETS": uploads.bucket_name,
                "REPORT_BUCKET": reports.bucket_name,
                **({"DB_SECRET_ARN": secret.secret_arn} if secret else {}),
            },
        )
        self._allow(uploads, reports, secret, database_user_arn)
        source = CONTRACT["event_source"]
        self.function.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=source["batch_size"],
                report_batch_item_failures=True,
                max_concurrency=source["maximum_concurrency"],
            )
        )
        for suffix in CONTRACT["suffixes"]:
            uploads.add_event_notification(
                s3.EventType.OBJECT_CREATED,
                notifications.SqsDestination(self.queue),
                s3.NotificationKeyFilter(suffix=suffix),
            )
        self.alarm = cloudwatch.Alarm(
            self,
            "DeadLettersAlarm",
            alarm_description="See docs/operations.md, alarm dead-letters.",
            metric=self.dead_letters.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(5), statistic="Maximum"
            ),
            threshold=0,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _allow(
        self,
        uploads: s3.IBucket,
        reports: s3.IBucket,
        secret: secretsmanager.ISecret | None,
        database_user_arn: str | None,
    ) -> None:
        """Give the role the permissions of the contract, on these resources."""
        targets = {
            "upload_objects": uploads.arn_for_objects("*"),
            "upload_bucket": uploads.bucket_arn,
            "report_objects": reports.arn_for_objects("*"),
            "queue": self.queue.queue_arn,
            "secret": secret.secret_arn if secret else None,
            "database_user": database_user_arn,
        }
        for target, resource in targets.items():
            if resource:
                self.function.add_to_role_policy(
                    iam.PolicyStatement(
                        actions=CONTRACT["permissions"][target], resources=[resource]
                    )
                )
        for bucket in (uploads, reports):
            if bucket.encryption_key:
                bucket.encryption_key.grant_encrypt_decrypt(self.function)
