"""The notifications of the template reach the queue; S3, SNS, EventBridge and SQS are moto's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handler.events import SUFFIXES, Ignored, read_message
from salespro_cli.sandbox.local_aws import REGION
from tests.support.function.notifications import s3_event
from tests.support.paths import ROOT
from tests.support.sam_template import deployed
from tools.templates.combinations import EXISTING, SECRET, TOPIC

BUCKET = EXISTING["ExistingUploadBucket"]
BY_PREFIX = {"UploadPrefix": "salespro/"}
BY_SUFFIX = {"UploadSuffix": "_export.csv"}
# One key for each reason to announce an object, or not to.
KEYS = (
    "a.csv",
    "A.CSV",
    "a.csv.gz",
    "A.CSV.GZ",
    "a_export.csv",
    "dryrun/a.csv",
    "salespro/a.csv",
    "salespro/ä b.csv.gz",
    "salespro/a_export.csv",
    "dryrun/salespro/a_export.csv",
    "other/a_export.csv",
    "notes.txt",
    "salespro/notes.txt",
)


class Cloud:
    """A bucket and the queue, connected as the template says."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        location: Any = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
        self.queue_url = self.sqs.create_queue(QueueName="uploads")["QueueUrl"]
        self.queue_arn = self.sqs.get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]

    def put_all(self) -> None:
        """Upload an object under each key."""
        for key in KEYS:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    def announced(self) -> list[str]:
        """The keys that the messages of the queue announce, without repetitions of SQS."""
        keys = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                keys += [item.object_key for item in read_message(message["Body"])]
        return [str(key) for key in keys if key]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield Cloud()


def made(resource: str, given: dict[str, str]) -> dict[str, Any]:
    """The properties of a resource under these parameters."""
    found: dict[str, Any] = deployed(SECRET | given)["Resources"][resource][
        "Properties"
    ]
    return found


def queue_configurations(given: dict[str, str], queue: str) -> list[dict[str, Any]]:
    """The notifications of the bucket, in the form that S3's API takes."""
    bucket = made("UploadBucket", given)
    return [
        {
            "QueueArn": queue,
            "Events": [each["Event"]],
            "Filter": {"Key": {"FilterRules": each["Filter"]["S3Key"]["Rules"]}},
        }
        for each in bucket["NotificationConfiguration"]["QueueConfigurations"]
    ]


def expected(given: dict[str, str]) -> list[str]:
    """The keys to announce: under the prefix or its dry runs, with the suffix."""
    prefix, suffix = given.get("UploadPrefix", ""), given.get("UploadSuffix", "")
    return [
        key
        for key in KEYS
        if key.startswith((prefix, f"dryrun/{prefix}"))
        and key.endswith(suffix)
        and key.lower().endswith(SUFFIXES)
    ]


@pytest.mark.parametrize(
    "given", [{}, BY_PREFIX, BY_SUFFIX, BY_PREFIX | BY_SUFFIX], ids=str
)
def test_bucket_announces_exactly_the_uploads(
    cloud: Cloud, given: dict[str, str]
) -> None:
    configurations: Any = queue_configurations(given, cloud.queue_arn)
    cloud.s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": configurations}
    )

    cloud.put_all()

    assert sorted(cloud.announced()) == sorted(expected(given))


@pytest.mark.parametrize(
    "given", [{}, BY_PREFIX, BY_SUFFIX, BY_PREFIX | BY_SUFFIX], ids=str
)
def test_filters_of_the_bucket_do_not_overlap(given: dict[str, str]) -> None:
    """S3 refuses the whole configuration if one key can match two filters."""
    filters = []
    for configuration in queue_configurations(given, "queue"):
        rules = configuration["Filter"]["Key"]["FilterRules"]
        by_name = {rule["Name"]: rule["Value"] for rule in rules}
        filters.append((by_name.get("prefix", ""), by_name["suffix"]))

    assert filters
    for (prefix, suffix), (other_prefix, other_suffix) in permutations(filters, 2):
        assert not (other_prefix.startswith(prefix) and other_suffix.endswith(suffix))


@pytest.mark.parametrize("given", [{}, BY_PREFIX, BY_SUFFIX], ids=str)
def test_rule_of_eventbridge_sends_the_uploads_to_the_queue(
    cloud: Cloud, given: dict[str, str]
) -> None:
    rule = made("UploadRule", EXISTING | {"UploadNotifications": "eventbridge"} | given)
    [target] = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": "UploadQueue.Arn"}
    events = boto3.client("events")
    pattern = json.dumps(rule["EventPattern"])
    events.put_rule(Name="uploads", EventPattern=pattern)
    queue: Any = {"Id": target["Id"], "Arn": cloud.queue_arn}
    events.put_targets(Rule="uploads", Targets=[queue])
    cloud.s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={"EventBridgeConfiguration": {}},
    )

    cloud.put_all()

    # Other files under the prefix come too: the function ignores them.
    announced = [key for key in cloud.announced() if not key.endswith(".txt")]
    assert sorted(announced) == sorted(expected(given))


def test_own_bucket_with_eventbridge_sends_nothing_to_the_queue_itself() -> None:
    """Otherwise each upload would be announced twice."""
    bucket = made("UploadBucket", {"UploadNotifications": "eventbridge"})

    assert bucket["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("given", [{}, BY_PREFIX, BY_SUFFIX], ids=str)
def test_subscription_to_the_topic_sends_the_uploads_to_the_queue(
    cloud: Cloud,
    given: dict[str, str],
    raw: bool,  # noqa: FBT001
) -> None:
    """An older subscription of somebody may not be raw."""
    found = made("UploadSubscription", TOPIC | given)
    assert found["RawMessageDelivery"] is True
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol=found["Protocol"],
        Endpoint=cloud.queue_arn,
        Attributes={
            "RawMessageDelivery": str(raw).lower(),
            "FilterPolicyScope": found["FilterPolicyScope"],
            "FilterPolicy": json.dumps(found["FilterPolicy"]),
        },
    )

    # Not by moto's S3, which encodes slashes.  S3 does not.
    for key in KEYS:
        written = key.replace("ä", "%C3%A4").replace(" ", "+")
        sns.publish(TopicArn=topic, Message=json.dumps(s3_event(written)))

    announced = [key for key in cloud.announced() if not key.endswith(".txt")]
    assert sorted(announced) == sorted(expected(given))


def test_test_event_of_a_topic_is_ignored() -> None:
    """S3 sends it to the topic when the bucket is configured."""
    event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})
    envelope = json.dumps({"Type": "Notification", "Message": event})

    assert all(isinstance(item, Ignored) for item in read_message(envelope))


@pytest.mark.parametrize("with_prefix", [True, False])
def test_notifications_of_an_existing_bucket_in_the_docs_announce_the_uploads(
    cloud: Cloud,
    with_prefix: bool,  # noqa: FBT001
) -> None:
    """docs/deploy.md: with a prefix as it is, otherwise without the filter."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    found = json.loads(text.replace("<QueueArn>", cloud.queue_arn))
    if not with_prefix:
        del found["QueueConfigurations"][0]["Filter"]
        del found["QueueConfigurations"][1:]
    cloud.s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration=found
    )

    cloud.put_all()

    announced = [key for key in cloud.announced() if not key.endswith(".txt")]
    assert sorted(announced) == sorted(expected(BY_PREFIX if with_prefix else {}))
