"""template.yaml fits the function: what `sam validate --lint` cannot check."""

from __future__ import annotations

import ast
import re
from itertools import permutations
from typing import Any

import pytest

from handler.events import SUFFIXES
from handler.settings import NAMES, Settings
from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options
from salespro_core.model.object_key import DRY_RUN_PREFIX
from tests.support.sam_template import ROOT, evaluate, properties, template, variables

NO_VALUE = {"Ref": "AWS::NoValue"}


def test_handler_of_the_template_is_a_function_of_that_module() -> None:
    """Otherwise the first upload fails."""
    function = properties("Importer")
    module, _, name = function["Handler"].rpartition(".")
    source = ROOT / function["CodeUri"] / (module.replace(".", "/") + ".py")

    tree = ast.parse(source.read_text(encoding="utf-8"))

    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def test_runtime_is_the_python_version_of_the_pinned_requirements() -> None:
    function = properties("Importer")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pinned = re.search(r"--python-version ([\d.]+) -o src/requirements.txt", makefile)

    assert pinned is not None
    assert function["Runtime"] == f"python{pinned[1]}" == "python3.13"
    assert function["Architectures"] == ["x86_64"]


def test_environment_variables_are_the_settings_except_database_url() -> None:
    """A mistyped name would be ignored, or a setting would never be set."""
    # The template sets DB_SECRET_ARN or DB_HOST and DB_NAME, never a URL.
    assert set(variables()) == set(NAMES) - {"DATABASE_URL"}


def test_every_parameter_is_referenced() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")

    for name in template()["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\${{{name}}}", text), name


def test_visibility_timeout_is_at_least_six_function_timeouts() -> None:
    """AWS recommends six times, so that a message stays hidden during its import."""
    visibility_s = properties("UploadQueue")["VisibilityTimeout"]

    assert properties("Importer")["Timeout"] <= visibility_s / 6


def test_event_source_reports_failures_per_message() -> None:
    """Without ReportBatchItemFailures Lambda ignores the response of the function."""
    (source,) = properties("Importer")["Events"].values()

    assert source["Type"] == "SQS"
    assert source["Properties"]["Queue"] == {"Fn::GetAtt": "UploadQueue.Arn"}
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["Properties"]["ScalingConfig"] == {
        "MaximumConcurrency": {"Ref": "MaximumConcurrency"}
    }


def test_message_goes_to_the_dead_letter_queue_after_five_deliveries() -> None:
    queue, dead = properties("UploadQueue"), properties("DeadLetterQueue")

    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": "DeadLetterQueue.Arn"},
        "maxReceiveCount": 5,
    }
    # A moved message keeps its age: with equal retention it could be deleted at once.
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert dead["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
    (source,) = dead["RedriveAllowPolicy"]["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(":" + queue["QueueName"]["Fn::Sub"])


def test_function_may_send_a_message_of_a_long_import_again_and_again() -> None:
    """Lambda's recursive loop detection would end the chain after 16 messages."""
    assert properties("Importer")["RecursiveLoop"] == "Allow"


def test_bucket_notifies_for_every_suffix_that_the_function_reads() -> None:
    bucket = properties("UploadBucket")
    configurations = bucket["NotificationConfiguration"]["QueueConfigurations"]
    rules = [each["Filter"]["S3Key"]["Rules"] for each in configurations]
    suffixes = [rule["Value"] for (rule,) in rules]

    assert {each["Event"] for each in configurations} == {"s3:ObjectCreated:*"}
    for suffix in (*SUFFIXES, *map(str.upper, SUFFIXES)):
        assert f"SalesPro{suffix}".endswith(tuple(suffixes))
    # S3 refuses the whole configuration if a suffix ends with another suffix.
    assert not any(longer.endswith(end) for longer, end in permutations(suffixes, 2))


IAM = {
    "DbHost": "db.example",
    "DbName": "warehouse",
    "DbUser": "importer",
    "DbResourceId": "db-ABC",
}
SECRET = {"DbSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x"}


def defaults() -> dict[str, str]:
    """Parameter name -> default value as text, for parameters with a default."""
    return {
        name: str(parameter["Default"])
        for name, parameter in template()["Parameters"].items()
    }


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        pytest.param({}, False, id="no-database"),
        pytest.param(SECRET, True, id="secret"),
        pytest.param(
            {**SECRET, "DbHost": "h", "DbName": "n"}, True, id="secret-and-address"
        ),
        pytest.param(IAM, True, id="iam"),
        pytest.param({**IAM, **SECRET}, False, id="iam-and-secret"),
        pytest.param({**IAM, "DbUser": ""}, False, id="iam-without-user"),
        pytest.param({**IAM, "DbHost": ""}, False, id="iam-without-host"),
        pytest.param({**IAM, "DbResourceId": ""}, False, id="iam-without-resource-id"),
        pytest.param(
            {**SECRET, "DbSslRootCert": ""}, False, id="verify-full-without-root-cert"
        ),
        pytest.param(
            {**SECRET, "DbSslRootCert": "", "DbSslMode": "require"},
            True,
            id="require-without-root-cert",
        ),
    ],
)
def test_rules_accept_either_a_secret_or_iam_authentication(
    given: dict[str, str],
    accepted: bool,  # noqa: FBT001
) -> None:
    """The deployment fails, instead of every import after it."""
    parameters = defaults() | given

    verdicts = [
        evaluate(assertion["Assert"], parameters)
        for rule in template()["Rules"].values()
        if evaluate(rule.get("RuleCondition", {"Fn::And": []}), parameters)
        for assertion in rule["Assertions"]
    ]

    assert all(verdicts) is accepted


@pytest.mark.parametrize("given", [SECRET, IAM], ids=["secret", "iam"])
def test_function_accepts_the_environment_of_the_template(
    given: dict[str, str],
) -> None:
    """Otherwise the first upload fails."""
    parameters = defaults() | given
    conditions = template()["Conditions"]

    def resolved(value: Any) -> str | None:  # noqa: ANN401 -- a piece of YAML
        match value:
            case {"Fn::If": [str(name), then, otherwise]}:
                return resolved(
                    then if evaluate(conditions[name], parameters) else otherwise
                )
            case {"Ref": "AWS::NoValue"}:
                return None
            case {"Ref": str(name)}:
                return parameters.get(name, name.lower())
        raise NotImplementedError(str(value))

    environ = {name: resolved(value) for name, value in variables().items()}
    settings = Settings.from_env({n: v for n, v in environ.items() if v is not None})

    assert settings.ssl_mode == "verify-full"
    assert settings.ssl_root_cert == "/var/task/global-bundle.pem"
    assert settings.secret_arn == given.get("DbSecretArn")
    assert settings.user == given.get("DbUser")
    assert settings.notify_topic_arn is None


def test_optional_settings_without_a_value_are_absent() -> None:
    """An empty DB_HOST is an error; an absent one takes the host of the secret."""
    optional = {"DB_SECRET_ARN", "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER"}

    for name in optional | {"DB_SSLROOTCERT"}:
        assert variables()[name]["Fn::If"][2] == NO_VALUE


ROWS = ("MaxRejectedRows", "MAX_REJECTED_ROWS")
PERCENT = ("MaxRejectedPercent", "MAX_REJECTED_PERCENT")
TOPIC = ("NotifyTopicArn", "NOTIFY_TOPIC_ARN")
BUDGETS = (
    *("", "0", "7", "2.5", "100", "100.0", "100.1", "101", "999999999", "1000000000"),
    *("-1", "5%", ".5", "5.", "099", "1e1", "0.000000001", "0.0000000001", "few"),
)


@pytest.mark.parametrize(
    ("setting", "text"),
    [(setting, text) for setting in (ROWS, PERCENT) for text in BUDGETS],
)
def test_template_and_function_accept_the_same_error_budgets(
    setting: tuple[str, str], text: str
) -> None:
    """A value that only the template accepts would make every import fail."""
    parameter, variable = setting
    declared = template()["Parameters"][parameter]
    try:
        Options.from_env({variable: text})
        is_accepted = True
    except ConfigError:
        is_accepted = False

    assert bool(re.fullmatch(declared["AllowedPattern"], text)) is is_accepted
    assert (declared["Type"], declared["Default"]) == ("String", "")
    assert variables()[variable] == {"Ref": parameter}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arn:aws:sns:eu-central-1:123456789012:people",
        "arn:aws-cn:sns:cn-north-1:123456789012:people",
        "arn:aws:sns:eu-central-1:123456789012:people.fifo",
        "arn:aws:sqs:eu-central-1:123456789012:people",
        "people",
    ],
)
def test_template_and_function_accept_the_same_topics(text: str) -> None:
    parameter, variable = TOPIC
    given = {"REPORT_BUCKET": "r", "DATABASE_URL": "postgresql:///", variable: text}
    try:
        Settings.from_env(given)
        is_accepted = True
    except ConfigError:
        is_accepted = False

    declared = template()["Parameters"][parameter]
    assert bool(re.fullmatch(declared["AllowedPattern"], text)) is is_accepted


def test_outputs_are_commands_to_paste_into_a_shell() -> None:
    outputs = template()["Outputs"]
    upload = "aws s3 cp events/SalesPro2025-06-18.csv s3://${UploadBucket}/"

    assert outputs["TryIt"]["Value"] == {"Fn::Sub": upload}
    assert outputs["TryADryRun"]["Value"] == {"Fn::Sub": upload + DRY_RUN_PREFIX}
