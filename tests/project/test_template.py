"""template.yaml: what `sam validate --lint` cannot know about the function and its queue."""

from __future__ import annotations

import ast
import re
from itertools import permutations
from typing import Any

import pytest

from handler.events import DRY_RUN_PREFIX, SUFFIXES
from handler.settings import NAMES, Settings
from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options
from tests.support.sam_template import ROOT, holds, properties, template, variables

NO_VALUE = {"Ref": "AWS::NoValue"}


def test_the_handler_is_where_the_template_says() -> None:
    """Lambda would find out at the first upload."""
    function = properties("Importer")
    module, _, name = function["Handler"].rpartition(".")
    source = ROOT / function["CodeUri"] / (module.replace(".", "/") + ".py")

    tree = ast.parse(source.read_text(encoding="utf-8"))

    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def test_the_runtime_is_the_one_that_the_requirements_are_pinned_for() -> None:
    function = properties("Importer")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pinned = re.search(r"--python-version ([\d.]+) -o src/requirements.txt", makefile)

    assert pinned is not None
    assert function["Runtime"] == f"python{pinned[1]}" == "python3.13"
    assert function["Architectures"] == ["x86_64"]


def test_every_variable_is_a_setting_and_the_reverse() -> None:
    """One that is mistyped would be ignored, or never be set."""
    # The template has no database to name by URL.
    assert set(variables()) == set(NAMES) - {"DATABASE_URL"}


def test_every_parameter_is_used() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")

    for name in template()["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\${{{name}}}", text), name


def test_a_message_stays_hidden_while_its_import_may_still_run() -> None:
    """Six times the timeout is what AWS asks of a queue in front of a function."""
    visibility_s = properties("UploadQueue")["VisibilityTimeout"]

    assert properties("Importer")["Timeout"] <= visibility_s / 6


def test_each_message_fails_by_itself() -> None:
    """Without ReportBatchItemFailures the response is not even looked at."""
    (source,) = properties("Importer")["Events"].values()

    assert source["Type"] == "SQS"
    assert source["Properties"]["Queue"] == {"Fn::GetAtt": "UploadQueue.Arn"}
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["Properties"]["ScalingConfig"] == {
        "MaximumConcurrency": {"Ref": "MaximumConcurrency"}
    }


def test_what_fails_too_often_goes_to_the_dead_letter_queue() -> None:
    queue, dead = properties("UploadQueue"), properties("DeadLetterQueue")

    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": "DeadLetterQueue.Arn"},
        "maxReceiveCount": 5,
    }
    # A message keeps its age when it moves: with equal times it might be gone at once.
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert dead["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
    (source,) = dead["RedriveAllowPolicy"]["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(":" + queue["QueueName"]["Fn::Sub"])


def test_the_bucket_announces_what_the_function_reads() -> None:
    bucket = properties("UploadBucket")
    configurations = bucket["NotificationConfiguration"]["QueueConfigurations"]
    rules = [each["Filter"]["S3Key"]["Rules"] for each in configurations]
    announced = [rule["Value"] for (rule,) in rules]

    assert {each["Event"] for each in configurations} == {"s3:ObjectCreated:*"}
    for suffix in (*SUFFIXES, *map(str.upper, SUFFIXES)):
        assert f"SalesPro{suffix}".endswith(tuple(announced))
    # S3 refuses the whole configuration if one suffix ends in another.
    assert not any(one.endswith(other) for one, other in permutations(announced, 2))


IAM = {
    "DbHost": "db.example",
    "DbName": "warehouse",
    "DbUser": "importer",
    "DbResourceId": "db-ABC",
}
SECRET = {"DbSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x"}


def defaults() -> dict[str, str]:
    """Those of the parameters that have one, as text."""
    return {
        name: str(parameter["Default"])
        for name, parameter in template()["Parameters"].items()
    }


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
        pytest.param({**SECRET, "DbSslRootCert": ""}, False, id="no-root-cert"),
        pytest.param(
            {**SECRET, "DbSslRootCert": "", "DbSslMode": "require"},
            True,
            id="unverified-on-purpose",
        ),
    ],
)
def test_a_stack_has_exactly_one_way_into_its_database(
    given: dict[str, str],
    accepted: bool,  # noqa: FBT001
) -> None:
    """Deploying stops at once, instead of every import failing later."""
    parameters = defaults() | given

    verdicts = [
        holds(assertion["Assert"], parameters)
        for rule in template()["Rules"].values()
        if holds(rule.get("RuleCondition", {"Fn::And": []}), parameters)
        for assertion in rule["Assertions"]
    ]

    assert all(verdicts) is accepted


@pytest.mark.parametrize("given", [SECRET, IAM], ids=["secret", "iam"])
def test_the_function_starts_with_what_the_template_sets(given: dict[str, str]) -> None:
    """All mistakes of the defaults would be found here, and not at the first upload."""
    parameters = defaults() | given
    conditions = template()["Conditions"]

    def resolved(value: Any) -> str | None:  # noqa: ANN401 -- a piece of YAML
        match value:
            case {"Fn::If": [str(name), then, otherwise]}:
                return resolved(
                    then if holds(conditions[name], parameters) else otherwise
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


def test_settings_that_are_not_given_are_not_set() -> None:
    """An empty DB_HOST is a mistake to find; an absent one leaves it to the secret."""
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
def test_a_deployment_takes_the_error_budgets_that_the_function_takes(
    setting: tuple[str, str], text: str
) -> None:
    """Or every import would fail until somebody reads the log."""
    parameter, variable = setting
    declared = template()["Parameters"][parameter]
    try:
        Options.from_env({variable: text})
        is_read = True
    except ConfigError:
        is_read = False

    assert bool(re.fullmatch(declared["AllowedPattern"], text)) is is_read
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
def test_a_deployment_takes_the_topic_that_the_function_takes(text: str) -> None:
    parameter, variable = TOPIC
    given = {"REPORT_BUCKET": "r", "DATABASE_URL": "postgresql:///", variable: text}
    try:
        Settings.from_env(given)
        is_read = True
    except ConfigError:
        is_read = False

    declared = template()["Parameters"][parameter]
    assert bool(re.fullmatch(declared["AllowedPattern"], text)) is is_read


def test_the_outputs_are_lines_to_paste() -> None:
    outputs = template()["Outputs"]
    upload = "aws s3 cp events/SalesPro2025-06-18.csv s3://${UploadBucket}/"

    assert outputs["TryIt"]["Value"] == {"Fn::Sub": upload}
    assert outputs["TryADryRun"]["Value"] == {"Fn::Sub": upload + DRY_RUN_PREFIX}
