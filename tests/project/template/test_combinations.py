"""The template is complete under every combination of its parameters that makes sense.

`make validate` and `make secure` lint the translated templates of `tools.templates.combinations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.support.sam_template import as_list, deployed, template
from tools.templates.combinations import (
    CANARY,
    COMBINATIONS,
    EXISTING,
    IAM,
    SECRET,
    TOPIC,
    VPC,
)
from tools.templates.resolve import parameter_values, references, rules_are_met

KEY = "arn:aws:kms:eu-central-1:123456789012:key/a"
CHOICES: tuple[tuple[dict[str, str], ...], ...] = (
    ({**SECRET, "DbSecretKmsKeyArn": KEY}, {**IAM, **VPC}),
    (
        {},
        EXISTING,
        {"UploadNotifications": "eventbridge"},
        {**EXISTING, "UploadNotifications": "eventbridge"},
        TOPIC,
    ),
    ({}, {"UploadPrefix": "a/"}),
    ({}, {"UploadSuffix": ".csv"}),
    ({}, {"ExistingReportBucket": "company-reports", "RegionInNames": "true"}),
    ({}, {**CANARY, "MigrateOnRelease": "true", "SnapStart": "PublishedVersions"}),
    ({"AlarmTopicArn": TOPIC["UploadTopicArn"]}, {"AlarmEmail": "a@example.com"}),
    (
        {},
        {
            "KmsKeyArn": KEY,
            "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/b",
            "Tracing": "Active",
            "Architecture": "arm64",
            "ReconcileSchedule": "rate(1 day)",
        },
    ),
)


def all_combinations() -> Iterator[dict[str, str]]:
    """Every choice with every other."""
    for parts in product(*CHOICES):
        yield {name: value for part in parts for name, value in part.items()}


def empty_parts(node: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401
    """The paths of empty lists and dictionaries: something whose parts are all left out."""
    if node in ([], {}):
        yield path
    if isinstance(node, dict):
        node = node.items()
    elif isinstance(node, list):
        node = enumerate(node)
    else:
        return
    for key, value in node:
        yield from empty_parts(value, f"{path}.{key}")


def test_nothing_refers_to_a_resource_that_is_left_out() -> None:
    """CloudFormation finds that only at the deployment."""
    seen = 0
    for given in all_combinations():
        assert rules_are_met(template(), parameter_values(template(), given)), given
        made = deployed(given)
        known = {*made["Resources"], *(f"AWS::{n}" for n in ("AccountId", "Partition"))}
        known |= {f"AWS::{n}" for n in ("Region", "StackName", "URLSuffix")}
        missing = {name for name in references(made) if name not in known}
        missing |= {
            name
            for resource in made["Resources"].values()
            for name in map(str, as_list(resource.get("DependsOn", [])))
            if name not in known
        }
        assert missing == set(), given
        assert list(empty_parts(made["Resources"])) == [], given
        seen += 1

    assert seen == 640


def test_each_new_parameter_is_in_a_combination_for_the_linters() -> None:
    """A parameter that no combination sets would not be linted with its effects."""
    varied = {name for given in COMBINATIONS.values() for name in given}
    conditions = str(template()["Conditions"])
    # They decide about one property each, and the whole template is linted with both.
    simple = {"AccessLogBucket", "DbSslRootCert"}

    for name in template()["Parameters"]:
        if f"'{name}'" in conditions and name not in simple:
            assert name in varied, name


@pytest.mark.parametrize("name", COMBINATIONS)
def test_combination_is_accepted_by_the_rules(name: str) -> None:
    values = parameter_values(template(), COMBINATIONS[name])

    assert rules_are_met(template(), values)


def test_defaults_make_what_the_template_made_before() -> None:
    """Nothing that works needs a new parameter, and no resource of a stack is replaced."""
    made = deployed(SECRET)
    resources = made["Resources"]

    assert set(resources) == {
        *("UploadBucket", "UploadBucketPolicy", "ReportBucket", "ReportBucketPolicy"),
        *("UploadQueue", "UploadQueuePolicy", "DeadLetterQueue"),
        *("DeadLetterQueuePolicy", "Importer", "ImporterUpload", "ImporterRole"),
        *("ImporterLogs", "DeadLetterAlarm", "BacklogAlarm", "FailedFilesAlarm"),
        *("RejectsAlarm", "NoImportAlarm", "DurationAlarm", "ErrorsAlarm"),
        *("ThrottlesAlarm", "Dashboard", "RecentImportsQuery", "FailuresQuery"),
        *("RejectsByReasonQuery", "SlowestFilesQuery", "StoryOfAFileQuery"),
    }
    names = {
        "UploadBucket": ("BucketName", "${AWS::StackName}-uploads-${AWS::AccountId}"),
        "ReportBucket": ("BucketName", "${AWS::StackName}-reports-${AWS::AccountId}"),
        "UploadQueue": ("QueueName", "${AWS::StackName}-uploads"),
        "DeadLetterQueue": ("QueueName", "${AWS::StackName}-uploads-failed"),
        "Importer": ("FunctionName", "${AWS::StackName}-importer"),
    }
    for resource, (name, text) in names.items():
        assert resources[resource]["Properties"][name] == {"Fn::Sub": text}
    # The name of the event source in a stack of an older version: another one would be made
    # before it is deleted, and Lambda refuses two for one queue and function.
    assert resources["ImporterUpload"]["Properties"]["FunctionName"] == {
        "Ref": "Importer"
    }
    function = resources["Importer"]["Properties"]
    assert function["Architectures"] == ["x86_64"]
    assert function["Tracing"] == "PassThrough"
    assert "SnapStart" not in function
    assert function["Description"] == "Imports SalesPro exports into Postgres"


def test_retained_buckets_stay_when_an_update_names_existing_ones() -> None:
    """The bucket leaves the stack, with its objects."""
    resources = template()["Resources"]

    for name in ("UploadBucket", "ReportBucket"):
        assert "UploadBucket" not in deployed(SECRET | EXISTING)["Resources"]
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
