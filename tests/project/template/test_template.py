"""template.yaml fits the function: what `sam validate --lint` cannot check."""

from __future__ import annotations

import ast
import re

import pytest

from handler.settings import NAMES, Settings
from salespro_core.errors import ConfigError
from salespro_core.importer.options import Options
from salespro_core.model.object_key import DRY_RUN_PREFIX
from tests.support.sam_template import ROOT, deployed, properties, template, variables
from tools.templates.combinations import COMBINATIONS, IAM, SECRET
from tools.templates.combinations import TOPIC as UPLOADS_BY_TOPIC
from tools.templates.resolve import parameter_values, rules_are_met

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
    assert function["Architectures"] == [{"Ref": "Architecture"}]


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
    source = properties("ImporterUpload")

    assert source["EventSourceArn"] == {"Fn::GetAtt": "UploadQueue.Arn"}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {
        "MaximumConcurrency": {"Ref": "MaximumConcurrency"}
    }
    assert "Events" not in properties("Importer")


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
        pytest.param(
            {**IAM, "DbSecretKmsKeyArn": "arn:aws:kms:x:123456789012:key/a"},
            False,
            id="key-of-no-secret",
        ),
        pytest.param({**SECRET, **UPLOADS_BY_TOPIC}, True, id="topic"),
        pytest.param(
            {**SECRET, **UPLOADS_BY_TOPIC, "UploadTopicArn": ""},
            False,
            id="sns-without-topic",
        ),
        pytest.param(
            {**SECRET, **UPLOADS_BY_TOPIC, "UploadNotifications": "s3"},
            False,
            id="topic-without-sns",
        ),
        pytest.param(
            {**SECRET, **UPLOADS_BY_TOPIC, "ExistingUploadBucket": ""},
            False,
            id="topic-of-no-bucket",
        ),
        pytest.param(
            {**SECRET, "ExistingUploadBucket": "one", "ExistingReportBucket": "one"},
            False,
            id="reports-in-the-upload-bucket",
        ),
        pytest.param(
            {
                **SECRET,
                "AlarmEmail": "a@example.com",
                "AlarmTopicArn": "arn:aws:sns:x:123456789012:a",
            },
            False,
            id="two-alarm-topics",
        ),
        pytest.param(
            {**SECRET, "ReleaseType": "AllAtOnce"}, False, id="release-without-name"
        ),
        pytest.param({**SECRET, "Release": "a"}, True, id="direct-release-with-name"),
        pytest.param(
            {**SECRET, "SnapStart": "PublishedVersions"},
            False,
            id="snapshot-without-version",
        ),
        pytest.param(
            {**SECRET, "MigrateOnRelease": "true"}, False, id="migration-without-hook"
        ),
    ],
)
def test_rules_accept_only_parameters_that_fit_together(
    given: dict[str, str],
    accepted: bool,  # noqa: FBT001
) -> None:
    """The deployment fails, instead of every import after it."""
    values = parameter_values(template(), given)

    assert rules_are_met(template(), values) is accepted


@pytest.mark.parametrize("name", COMBINATIONS)
def test_function_accepts_the_environment_of_each_combination(name: str) -> None:
    """Otherwise the first upload fails."""
    given = COMBINATIONS[name]
    environment = deployed(given)["Resources"]["Importer"]["Properties"]["Environment"]

    settings = Settings.from_env(
        {
            # A reference to a bucket becomes its name.
            name: str(value) if isinstance(value, str | int) else f"name-of-{name}"
            for name, value in environment["Variables"].items()
        }
    )

    assert settings.ssl_mode == "verify-full"
    assert settings.ssl_root_cert == "/var/task/global-bundle.pem"
    assert settings.secret_arn == given.get("DbSecretArn")
    assert settings.user == given.get("DbUser")
    assert settings.notify_topic_arn == given.get("NotifyTopicArn")
    assert settings.upload_prefix == given.get("UploadPrefix", "")
    assert settings.upload_suffix == given.get("UploadSuffix", "")
    assert settings.requires_scan is (given.get("MalwareScan") == "required")


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


@pytest.mark.parametrize(
    ("parameter", "variable", "texts"),
    [
        (
            "UploadPrefix",
            "UPLOAD_PREFIX",
            ["", "a/", "a/b/", "a", "/a/", "dryrun/", "dryrun/a/", "a//", "ä/", "a b/"],
        ),
        (
            "UploadSuffix",
            "UPLOAD_SUFFIX",
            ["", ".csv", ".CSV", "_x.csv.gz", ".gz", "csv", "/.csv", "*.csv"],
        ),
    ],
)
def test_template_and_function_accept_the_same_prefixes_and_suffixes(
    parameter: str, variable: str, texts: list[str]
) -> None:
    for text in texts:
        given = {"REPORT_BUCKET": "reports", "DATABASE_URL": "postgresql:///"}
        try:
            Settings.from_env({**given, variable: text})
            is_accepted = True
        except ConfigError:
            is_accepted = False
        pattern = template()["Parameters"][parameter]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, text)) is is_accepted, text


def test_outputs_are_commands_to_paste_into_a_shell() -> None:
    outputs = deployed(
        {**SECRET, "ExistingUploadBucket": "company", "UploadPrefix": "p/"}
    )["Outputs"]
    copy = "aws s3 cp events/SalesPro2025-06-18.csv s3://company/"

    assert outputs["TryIt"]["Value"] == copy + "p/"
    assert outputs["TryADryRun"]["Value"] == copy + DRY_RUN_PREFIX + "p/"
    # From the dead-letter queue to the queue.
    assert outputs["Replay"]["Value"]["Fn::Sub"].endswith(
        "--source-arn ${DeadLetterQueue.Arn} --destination-arn ${UploadQueue.Arn}"
    )
