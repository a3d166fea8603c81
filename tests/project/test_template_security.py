"""template.yaml: who may do what, and what is locked; beside what checkov looks at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sam_template import (
    as_list,
    of_type,
    properties,
    statements,
    template,
)

# The actions that AWS offers no narrower resource for: which interfaces Lambda will
# make is not known beforehand (AWS Lambda Developer Guide, "Giving Lambda functions
# access to resources in an Amazon VPC").
NETWORK_INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
BUCKETS = ("UploadBucket", "ReportBucket")
QUEUES = ("UploadQueue", "DeadLetterQueue")
NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_are_locked(bucket: str) -> None:
    """They hold names, addresses and amounts."""
    found = properties(bucket)
    resource = template()["Resources"][bucket]

    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(found["PublicAccessBlockConfiguration"]) == 4
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}
    assert found["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }
    # A first deployment that fails leaves no bucket in the way of the next try.
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_are_encrypted_with_the_key_that_is_given(bucket: str) -> None:
    (encryption,) = properties(bucket)["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]

    condition, with_key, without = encryption["Fn::If"]
    assert condition == "HasKey"
    assert with_key["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Ref": "KmsKeyArn"},
    }
    assert without == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_nobody_comes_to_a_bucket_without_tls(bucket: str) -> None:
    plain, outdated = statements(properties(f"{bucket}Policy"))

    for denied in (plain, outdated):
        assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")
        assert denied["Action"] == "s3:*"
        assert denied["Resource"] == [
            {"Fn::GetAtt": f"{bucket}.Arn"},
            {"Fn::Sub": f"${{{bucket}.Arn}}/*"},
        ]
    assert plain["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert outdated["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_nothing_lies_in_a_bucket_for_ever_by_mistake(bucket: str) -> None:
    rules = properties(bucket)["LifecycleConfiguration"]["Rules"]

    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert any("NoncurrentVersionExpiration" in rule for rule in rules)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert any(rule.get("ExpiredObjectDeleteMarker") for rule in rules)
    # S3 does not take the two kinds of expiration in one rule.
    for rule in rules:
        assert not {"ExpirationInDays", "ExpiredObjectDeleteMarker"} <= rule.keys()


def test_what_was_uploaded_is_not_deleted_by_us() -> None:
    rules = properties("UploadBucket")["LifecycleConfiguration"]["Rules"]

    assert not any("ExpirationInDays" in rule for rule in rules)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_access_is_logged_where_a_bucket_for_it_is_given(bucket: str) -> None:
    condition, logged, not_logged = properties(bucket)["LoggingConfiguration"]["Fn::If"]

    assert (condition, not_logged) == ("HasAccessLogs", NO_VALUE)
    assert logged["DestinationBucketName"] == {"Ref": "AccessLogBucket"}


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_encrypted_and_nobody_comes_without_tls(queue: str) -> None:
    denied = [
        each
        for each in statements(properties(f"{queue}Policy"))
        if each["Effect"] == "Deny"
    ]

    assert properties(queue)["SqsManagedSseEnabled"] is True
    assert denied == [
        {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": {"Fn::GetAtt": f"{queue}.Arn"},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_only_our_bucket_may_put_messages_into_the_queue() -> None:
    """Any bucket of any account could otherwise: s3.amazonaws.com is all of S3."""
    name = properties("UploadBucket")["BucketName"]["Fn::Sub"]
    allowed, _ = statements(properties("UploadQueuePolicy"))

    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {
            "aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}
        },
    }
    # S3 tries to send when the bucket is made, so the policy must be there before.
    assert template()["Resources"]["UploadBucket"]["DependsOn"] == "UploadQueuePolicy"


def test_whoever_is_let_in_by_a_resource_is_named_with_account_and_source() -> None:
    """Of the policies of buckets and queues; a role's say what it is for."""
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy")
    allowed = [
        statement
        for kind in kinds
        for policy in of_type(kind).values()
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
    ]

    assert allowed
    for statement in allowed:
        conditions = statement["Condition"]
        keys = {key for by_key in conditions.values() for key in by_key}
        assert {"aws:SourceAccount", "aws:SourceArn"} <= keys


def allowed_to_the_function() -> dict[str, list[object]]:
    """Action -> on what, whatever the parameters are."""
    policies = properties("ImporterRole")["Policies"]
    return {
        str(action): as_list(statement["Resource"])
        for statement in statements(policies)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }


def test_the_function_may_do_what_is_named_here_and_nothing_else() -> None:
    allowed = allowed_to_the_function()

    assert set(allowed) - NETWORK_INTERFACES == {
        *("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject"),
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
        *("sqs:GetQueueAttributes", "sqs:GetQueueUrl"),
        *("s3:ListBucketVersions", "sqs:SendMessage"),  # to reconcile
        *("logs:CreateLogStream", "logs:PutLogEvents"),
        *("secretsmanager:GetSecretValue", "rds-db:connect"),
        *("kms:Decrypt", "kms:GenerateDataKey", "sns:Publish"),
    }
    assert allowed["sns:Publish"] == [{"Ref": "NotifyTopicArn"}]
    assert allowed["kms:Decrypt"] == [{"Ref": "KmsKeyArn"}]
    for action, resources in allowed.items():
        assert ("*" in resources) is (action in NETWORK_INTERFACES), action


def test_whatever_is_allowed_is_named() -> None:
    allowed = [each for each in statements(template()) if each["Effect"] == "Allow"]
    actions = {action for each in allowed for action in as_list(each["Action"])}

    assert [action for action in actions if "*" in str(action)] == []
    assert not any(each.get("Principal") == "*" for each in allowed)


@pytest.mark.parametrize(
    ("policy", "condition"),
    [
        ("read-secret", "HasSecret"),
        ("connect-as-db-user", "UsesIam"),
        ("use-key", "HasKey"),
        ("notify", "HasNotifyTopic"),
        ("network-interfaces", "InVpc"),
    ],
)
def test_what_is_optional_is_allowed_only_where_it_is_used(
    policy: str, condition: str
) -> None:
    optional: list[Any] = [
        each["Fn::If"]
        for each in properties("ImporterRole")["Policies"]
        if "Fn::If" in each
    ]

    [found] = [each for each in optional if each[1]["PolicyName"] == policy]
    assert (found[0], found[2]) == (condition, NO_VALUE)


def test_the_role_needs_no_policy_of_somebody_else() -> None:
    """Managed policies grant more than is needed, and change without us."""
    assert "ManagedPolicyArns" not in properties("ImporterRole")
    assert properties("Importer")["Role"] == {"Fn::GetAtt": "ImporterRole.Arn"}


def test_every_skip_of_checkov_has_its_reason() -> None:
    skips = {
        (name, skip["id"]): skip["comment"]
        for name, resource in template()["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }

    assert set(skips) == {
        ("UploadQueue", "CKV_AWS_27"),
        ("DeadLetterQueue", "CKV_AWS_27"),
        ("Importer", "CKV_AWS_115"),
        ("Importer", "CKV_AWS_116"),
        ("ImporterLogs", "CKV_AWS_158"),
    }
    assert all(len(comment) > 20 for comment in skips.values())
