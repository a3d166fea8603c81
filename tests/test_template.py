"""template.yaml: what `sam validate --lint` cannot know about it."""

import ast
import re
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from handler.notifications import DRY_RUN_PREFIX, SUFFIXES
from salespro_core.errors import ConfigError
from salespro_core.options import Options

ROOT = Path(__file__).parents[1]

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


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, `!GetAtt x` read as `Fn::GetAtt: x`."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loader = _Loader((ROOT / "template.yaml").read_text(encoding="utf-8"))
    loaded = loader.get_single_data()
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture
def function(template: dict[str, Any]) -> dict[str, Any]:
    return properties(template, "Importer")


def properties(template: dict[str, Any], name: str) -> dict[str, Any]:
    found = template["Resources"][name]["Properties"]
    assert isinstance(found, dict)
    return found


def statements(node: object) -> Iterator[dict[str, Any]]:
    """Every statement of every policy under `node`, those behind conditions too."""
    match node:
        case dict() if "Effect" in node:
            yield node
        case dict():
            for value in node.values():
                yield from statements(value)
        case list():
            for value in node:
                yield from statements(value)


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def holds(condition: object, parameters: dict[str, str]) -> object:
    """What CloudFormation makes of the condition functions that our rules use."""
    match condition:
        case {"Ref": str(name)}:
            return parameters[name]
        case {"Fn::Equals": [left, right]}:
            return holds(left, parameters) == holds(right, parameters)
        case {"Fn::Not": [inner]}:
            return not holds(inner, parameters)
        case {"Fn::And": list(inner)}:
            return all(holds(each, parameters) for each in inner)
        case {"Fn::Or": list(inner)}:
            return any(holds(each, parameters) for each in inner)
        case str():
            return condition
    raise NotImplementedError(str(condition))


def test_the_handler_is_where_the_template_says(function: dict[str, Any]) -> None:
    """Lambda would find out at the first upload."""
    module, _, name = function["Handler"].rpartition(".")
    source = ROOT / function["CodeUri"] / (module.replace(".", "/") + ".py")

    tree = ast.parse(source.read_text(encoding="utf-8"))

    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def test_the_runtime_is_the_one_that_the_requirements_are_pinned_for(
    function: dict[str, Any],
) -> None:
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["x86_64"]


def test_a_message_stays_hidden_while_its_import_may_still_run(
    template: dict[str, Any], function: dict[str, Any]
) -> None:
    """Six times the timeout is what AWS asks of a queue in front of a function."""
    queue = properties(template, "UploadQueue")

    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_each_message_fails_by_itself(function: dict[str, Any]) -> None:
    """Without ReportBatchItemFailures the response is not even looked at."""
    (source,) = function["Events"].values()

    assert source["Type"] == "SQS"
    assert source["Properties"]["Queue"] == {"Fn::GetAtt": "UploadQueue.Arn"}
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_what_fails_too_often_goes_to_the_dead_letter_queue(
    template: dict[str, Any],
) -> None:
    queue = properties(template, "UploadQueue")
    dead = properties(template, "DeadLetterQueue")

    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": "DeadLetterQueue.Arn"},
        "maxReceiveCount": 5,
    }
    # A message keeps its age when it moves: with equal times it might be gone at once.
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    (source,) = dead["RedriveAllowPolicy"]["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(":" + queue["QueueName"]["Fn::Sub"])


@pytest.mark.parametrize("bucket", ["UploadBucket", "ReportBucket"])
def test_buckets_are_locked(template: dict[str, Any], bucket: str) -> None:
    """They hold names, addresses and amounts."""
    found = properties(template, bucket)
    (encryption,) = found["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (of_bucket,) = statements(properties(template, f"{bucket}Policy"))

    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(found["PublicAccessBlockConfiguration"]) == 4
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}
    assert found["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }
    assert of_bucket["Effect"] == "Deny"
    assert of_bucket["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert template["Resources"][bucket]["DeletionPolicy"] == "Retain"


def test_the_bucket_announces_what_the_function_reads(template: dict[str, Any]) -> None:
    bucket = properties(template, "UploadBucket")
    configurations = bucket["NotificationConfiguration"]["QueueConfigurations"]
    rules = [each["Filter"]["S3Key"]["Rules"] for each in configurations]
    announced = [rule["Value"] for (rule,) in rules]

    assert {each["Event"] for each in configurations} == {"s3:ObjectCreated:*"}
    for suffix in (*SUFFIXES, *map(str.upper, SUFFIXES)):
        assert f"SalesPro{suffix}".endswith(tuple(announced))
    # S3 refuses the whole configuration if one suffix ends in another.
    assert not any(one.endswith(other) for one, other in permutations(announced, 2))


def test_only_our_bucket_may_put_messages_into_the_queue(
    template: dict[str, Any],
) -> None:
    """Any bucket of any account could otherwise: s3.amazonaws.com is all of S3."""
    name = properties(template, "UploadBucket")["BucketName"]["Fn::Sub"]
    allowed, _ = statements(properties(template, "UploadQueuePolicy"))

    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {
            "aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}
        },
    }
    # S3 tries to send when the bucket is made, so the policy must be there before.
    assert template["Resources"]["UploadBucket"]["DependsOn"] == "UploadQueuePolicy"


def test_whatever_is_allowed_is_named(template: dict[str, Any]) -> None:
    allowed = [each for each in statements(template) if each["Effect"] == "Allow"]
    actions = {action for each in allowed for action in as_list(each["Action"])}
    anywhere = {
        action
        for each in allowed
        if "*" in as_list(each.get("Resource"))
        for action in as_list(each["Action"])
    }

    assert [action for action in actions if "*" in str(action)] == []
    assert anywhere == NETWORK_INTERFACES
    assert not any(each.get("Principal") == "*" for each in allowed)
    assert "s3:DeleteObject" not in actions


def test_the_role_needs_no_policy_of_somebody_else(template: dict[str, Any]) -> None:
    """Managed policies grant more than is needed, and change without us."""
    role = properties(template, "ImporterRole")

    assert "ManagedPolicyArns" not in role
    assert properties(template, "Importer")["Role"] == {
        "Fn::GetAtt": "ImporterRole.Arn"
    }


IAM = {
    "DbHost": "db.example",
    "DbName": "warehouse",
    "DbUser": "importer",
    "DbResourceId": "db-ABC",
}
SECRET = {"DbSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x"}


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param(SECRET, True, id="secret"),
        pytest.param({**SECRET, "DbHost": "h", "DbName": "n"}, True, id="and-address"),
        pytest.param(IAM, True, id="iam"),
        pytest.param({**IAM, **SECRET}, False, id="both"),
        pytest.param({**IAM, "DbUser": ""}, False, id="iam-of-nobody"),
        pytest.param({**IAM, "DbHost": ""}, False, id="iam-nowhere"),
        pytest.param({**IAM, "DbResourceId": ""}, False, id="iam-to-anything"),
        pytest.param({**SECRET, "DbSslMode": "verify-full"}, False, id="no-root-cert"),
        pytest.param(
            {**SECRET, "DbSslMode": "verify-full", "DbSslRootCert": "/var/task/ca.pem"},
            True,
            id="root-cert",
        ),
    ],
)
def test_a_stack_has_exactly_one_way_into_its_database(
    template: dict[str, Any],
    given: dict[str, str],
    accepted: bool,  # noqa: FBT001
) -> None:
    """Deploying stops at once, instead of every import failing later."""
    defaults = {
        name: str(parameter["Default"])
        for name, parameter in template["Parameters"].items()
    }
    parameters = defaults | given

    verdicts = [
        holds(assertion["Assert"], parameters)
        for rule in template["Rules"].values()
        if holds(rule.get("RuleCondition", {"Fn::And": []}), parameters)
        for assertion in rule["Assertions"]
    ]

    assert all(verdicts) is accepted


def test_settings_that_are_not_given_are_not_set(function: dict[str, Any]) -> None:
    """An empty DB_HOST is a mistake to find; an absent one leaves it to the secret."""
    variables = function["Environment"]["Variables"]
    optional = {"DB_SECRET_ARN", "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER"}

    for name in optional | {"DB_SSLROOTCERT"}:
        assert variables[name]["Fn::If"][2] == {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    ("parameter", "variable"),
    [
        ("MaxRejectedRows", "MAX_REJECTED_ROWS"),
        ("MaxRejectedPercent", "MAX_REJECTED_PERCENT"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "0",
            "7",
            "2.5",
            "100",
            "100.0",
            "100.1",
            "101",
            "999999999",
            "1000000000",
        ),
        *("-1", "5%", ".5", "5.", "099", "1e1", "0.000000001", "0.0000000001", "few"),
    ],
)
def test_a_deployment_takes_the_error_budgets_that_the_function_takes(
    template: dict[str, Any],
    function: dict[str, Any],
    parameter: str,
    variable: str,
    text: str,
) -> None:
    """Or every import would fail until somebody reads the log."""
    declared = template["Parameters"][parameter]
    try:
        Options.from_env({variable: text})
        is_read = True
    except ConfigError:
        is_read = False

    assert bool(re.fullmatch(declared["AllowedPattern"], text)) is is_read
    assert (declared["Type"], declared["Default"]) == ("String", "")
    assert function["Environment"]["Variables"][variable] == {"Ref": parameter}


def test_the_outputs_are_lines_to_paste(template: dict[str, Any]) -> None:
    outputs = template["Outputs"]
    upload = "aws s3 cp events/SalesPro2025-06-18.csv s3://${UploadBucket}/"

    assert outputs["TryIt"]["Value"] == {"Fn::Sub": upload}
    assert outputs["TryADryRun"]["Value"] == {"Fn::Sub": upload + DRY_RUN_PREFIX}
