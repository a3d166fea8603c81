"""template.yaml: permissions and encryption, as far as checkov does not check them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sam_template import (
    as_list,
    deployed,
    of_type,
    properties,
    statements,
    template,
)
from tools.templates.combinations import SECRET, TOPIC

# The actions that need the resource "*": the ids of the interfaces that Lambda creates are not
# known in advance (AWS Lambda Developer Guide, "Giving Lambda functions access to resources
# in an Amazon VPC").
NETWORK_INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
# These support no resource restrictions either.
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
BUCKETS = ("UploadBucket", "ReportBucket")
QUEUES = ("UploadQueue", "DeadLetterQueue")
NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_are_private_and_kept_with_their_versions(bucket: str) -> None:
    """They hold names, addresses and amounts."""
    found = properties(bucket)
    resource = template()["Resources"][bucket]

    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(found["PublicAccessBlockConfiguration"]) == 4
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}
    assert found["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }
    # After a failed first deployment the bucket name is free for the next one.
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_use_the_kms_key_of_the_parameter_or_the_key_of_s3(bucket: str) -> None:
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
def test_buckets_deny_requests_without_tls_1_2(bucket: str) -> None:
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
def test_old_versions_and_unfinished_uploads_expire(bucket: str) -> None:
    rules = properties(bucket)["LifecycleConfiguration"]["Rules"]

    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert any("NoncurrentVersionExpiration" in rule for rule in rules)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert any(rule.get("ExpiredObjectDeleteMarker") for rule in rules)
    # S3 does not accept both kinds of expiration in one rule.
    for rule in rules:
        assert not {"ExpirationInDays", "ExpiredObjectDeleteMarker"} <= rule.keys()


def test_current_versions_of_uploads_never_expire() -> None:
    rules = properties("UploadBucket")["LifecycleConfiguration"]["Rules"]

    assert not any("ExpirationInDays" in rule for rule in rules)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_access_is_logged_if_a_log_bucket_is_set(bucket: str) -> None:
    condition, logged, otherwise = properties(bucket)["LoggingConfiguration"]["Fn::If"]

    assert (condition, otherwise) == ("HasAccessLogs", NO_VALUE)
    assert logged["DestinationBucketName"] == {"Ref": "AccessLogBucket"}


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_kept_with_their_messages(queue: str) -> None:
    """A message may be the only trace of an upload that was not imported."""
    resource = template()["Resources"][queue]

    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_encrypted_and_deny_requests_without_tls(queue: str) -> None:
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


@pytest.mark.parametrize("region_in_names", ["false", "true"])
def test_only_the_upload_bucket_may_send_messages_to_the_queue(
    region_in_names: str,
) -> None:
    """Without conditions s3.amazonaws.com allows any bucket of any account."""
    resources = deployed({**SECRET, "RegionInNames": region_in_names})["Resources"]
    name = resources["UploadBucket"]["Properties"]["BucketName"]["Fn::Sub"]
    allowed, _ = statements(resources["UploadQueuePolicy"])

    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {
            "aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}
        },
    }
    # S3 sends a test message when the bucket is created, so the policy must exist before.
    assert resources["UploadBucket"]["DependsOn"] == "UploadQueuePolicy"


@pytest.mark.parametrize(
    ("given", "principal", "source"),
    [
        (
            {"ExistingUploadBucket": "company"},
            "s3.amazonaws.com",
            {"Fn::Sub": "arn:${AWS::Partition}:s3:::company"},
        ),
        (
            {"UploadNotifications": "eventbridge"},
            "events.amazonaws.com",
            {
                "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:"
                "${AWS::AccountId}:rule/${AWS::StackName}-uploads"
            },
        ),
        (TOPIC, "sns.amazonaws.com", TOPIC["UploadTopicArn"]),
    ],
)
def test_other_senders_to_the_queue_are_named_exactly(
    given: dict[str, str], principal: str, source: object
) -> None:
    policy = deployed(SECRET | given)["Resources"]["UploadQueuePolicy"]
    sources = {
        statement["Principal"]["Service"]: statement["Condition"]["ArnEquals"]
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
    }

    assert sources[principal] == {"aws:SourceArn": source}
    assert set(sources) == {"s3.amazonaws.com", principal}


def test_resource_policies_allow_only_a_named_account_and_source() -> None:
    types = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    allowed = [
        statement
        for type_name in types
        for policy in of_type(type_name).values()
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
    ]

    assert len(allowed) == 4
    for statement in allowed:
        conditions = statement["Condition"]
        keys = {key for by_key in conditions.values() for key in by_key}
        # The ARN of a topic names its account, which may be another one.
        is_topic = statement["Principal"] == {"Service": "sns.amazonaws.com"}
        needed = {"aws:SourceArn"} | (set() if is_topic else {"aws:SourceAccount"})
        assert needed <= keys


def allowed_actions() -> dict[str, list[object]]:
    """Action -> resources of the function's role, including all optional policies."""
    policies = properties("ImporterRole")["Policies"]
    return {
        str(action): as_list(statement["Resource"])
        for statement in statements(policies)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }


def test_function_may_use_exactly_these_actions() -> None:
    allowed = allowed_actions()

    assert set(allowed) - NETWORK_INTERFACES - TRACES == {
        *("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject"),
        *("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),  # MalwareScan
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",  # a long import, reconcile
        "s3:ListBucketVersions",  # reconcile
        *("logs:CreateLogStream", "logs:PutLogEvents"),
        *("secretsmanager:GetSecretValue", "rds-db:connect"),
        *("kms:Decrypt", "kms:GenerateDataKey", "sns:Publish"),
    }
    assert allowed["sns:Publish"] == [{"Ref": "NotifyTopicArn"}]
    assert allowed["kms:GenerateDataKey"] == [{"Ref": "KmsKeyArn"}]
    for action, resources in allowed.items():
        anywhere = action in NETWORK_INTERFACES | TRACES
        assert ("*" in resources) is anywhere, action


def test_key_of_the_secret_decrypts_only_this_secret() -> None:
    given = {**SECRET, "DbSecretKmsKeyArn": "arn:aws:kms:x:123456789012:key/a"}
    role = deployed(given)["Resources"]["ImporterRole"]
    [decrypt] = [s for s in statements(role) if s["Action"] == "kms:Decrypt"]

    assert decrypt["Resource"] == given["DbSecretKmsKeyArn"]
    assert decrypt["Condition"]["StringEquals"] == {
        "kms:ViaService": {
            "Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"
        },
        "kms:EncryptionContext:SecretARN": SECRET["DbSecretArn"],
    }


def test_role_reads_only_the_prefix_of_an_existing_bucket() -> None:
    given = {"ExistingUploadBucket": "company", "UploadPrefix": "salespro/"}
    role = deployed(SECRET | given)["Resources"]["ImporterRole"]
    [read] = [s for s in statements(role) if s.get("Sid") == "ReadUploads"]

    assert read["Resource"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::company/salespro/*"},
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::company/dryrun/salespro/*"},
    ]


def test_every_role_has_the_permissions_boundary_of_the_parameter() -> None:
    roles = of_type("AWS::IAM::Role")

    assert len(roles) == 3
    for role in roles.values():
        assert role["PermissionsBoundary"]["Fn::If"][:2] == [
            "HasBoundary",
            {"Ref": "PermissionsBoundaryArn"},
        ]


def test_no_policy_allows_a_wildcard_action_or_principal() -> None:
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
        ("trace", "IsTraced"),
    ],
)
def test_optional_policy_exists_only_if_its_parameter_is_set(
    policy: str, condition: str
) -> None:
    optional: list[Any] = [
        each["Fn::If"]
        for each in properties("ImporterRole")["Policies"]
        if "Fn::If" in each
    ]

    [found] = [each for each in optional if each[1]["PolicyName"] == policy]
    assert (found[0], found[2]) == (condition, NO_VALUE)


def test_role_has_no_managed_policies() -> None:
    """A managed policy grants more than needed, and AWS can change it."""
    assert "ManagedPolicyArns" not in properties("ImporterRole")
    assert properties("Importer")["Role"] == {"Fn::GetAtt": "ImporterRole.Arn"}


def test_every_skipped_check_of_checkov_has_a_reason() -> None:
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
        ("ImporterRole", "CKV_AWS_111"),
        ("AlarmTopic", "CKV_AWS_26"),
        ("ReleaseHookLogs", "CKV_AWS_158"),
        *(("ReleaseHook", f"CKV_AWS_{number}") for number in (115, 116, 117, 173)),
    }
    assert all(len(comment) > 20 for comment in skips.values())
