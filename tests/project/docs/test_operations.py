"""docs/operations.md is correct: its commands work with the resources of template.yaml."""

from __future__ import annotations

import re
import shlex

from handler.aws.message_visibility import FIRST_RETRY_S
from handler.events import Notification, read_message
from salespro_core.postgres.retry import RESPONSE_TIMEOUT_S, RETRY_PERIOD_S
from salespro_core.postgres.session import LOCK_TIMEOUT_S, SETTINGS, STATEMENT_TIMEOUT_S
from salespro_core.preflight.server_notes import NEWEST_TESTED_VERSION, RULES
from salespro_core.sync_history.queries import recent_imports
from tests.support.sam_template import ROOT, properties
from tests.support.world.uploads import rows
from tests.support.world.world import World

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
KEY = "SalesPro2025-06-18.csv"
# Source: RDS User Guide, "RDS Proxy connection considerations" and "Monitoring RDS Proxy
# metrics with Amazon CloudWatch".
OF_RDS_PROXY = {
    "ConnectionBorrowTimeout",
    "DatabaseConnectionsCurrentlySessionPinned",
    "IdleClientTimeout",
    "MaxConnectionsPercent",
}


def command(start: str) -> list[str]:
    """The arguments of the page's command that starts with this text."""
    blocks = re.findall(r"^```sh\n(.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    [found] = [block for block in blocks if block.startswith(start)]
    return shlex.split(found)


def option(start: str, name: str) -> str:
    """The value of an option of that command."""
    arguments = command(start)
    return arguments[arguments.index(name) + 1]


def test_redrive_command_names_the_dead_letter_queue() -> None:
    arn = option("aws sqs start-message-move-task", "--source-arn")

    name = properties("DeadLetterQueue")["QueueName"]["Fn::Sub"]
    assert arn.rpartition(":")[2] == name.replace("${AWS::StackName}", "<Stack>")


def test_message_of_the_replay_command_is_read_as_a_notification() -> None:
    body = option("aws sqs send-message", "--message-body")

    assert read_message(body) == [
        Notification(
            bucket="<UploadBucket>",
            object_key=KEY,
            version_id=None,
            etag=None,
            size_bytes=None,
            sequencer=None,
        )
    ]


def test_object_copied_onto_itself_is_imported_again(world: World) -> None:
    """Moto rejects a copy that changes nothing, like S3."""
    start = "aws s3api copy-object"
    directive = option(start, "--metadata-directive")
    assert option(start, "--copy-source") == f"<UploadBucket>/{KEY}"
    assert directive == "REPLACE"
    first = world.upload(rows(3), KEY)
    world.deliver_until_done(first)

    copied = world.s3_client.copy_object(
        Bucket=first.bucket,
        Key=KEY,
        CopySource={"Bucket": first.bucket, "Key": KEY},
        MetadataDirective="REPLACE",
    )
    first.version = copied["VersionId"]
    world.invoke(first)

    newest, oldest = recent_imports(world.conn)
    assert (oldest.counts.created, newest.counts.unchanged) == (3, 3)


def test_log_group_has_the_name_of_the_template() -> None:
    name = properties("ImporterLogs")["LogGroupName"]["Fn::Sub"]

    assert f"`{name.replace('${AWS::StackName}', '<Stack>')}`" in OPERATIONS


def test_parameters_and_outputs_on_the_page_exist_in_the_template() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", OPERATIONS))
    outputs = set(re.findall(r"<([A-Z][A-Za-z]+)>", OPERATIONS)) - {"Stack"}

    metrics = {name for name in named if name.startswith(("Files", "Rows"))}
    others = {"ImportModuleError", "SalesPro"} | OF_RDS_PROXY | set(SETTINGS)
    for name in (named - metrics - others) | outputs:
        assert f"\n  {name}:\n" in text, name


def section(title: str) -> str:
    """The text of a section of the page, without its line breaks."""
    _, _, rest = OPERATIONS.partition(f"\n## {title}\n")
    return " ".join(rest.partition("\n## ")[0].split())


def test_settings_that_the_check_reports_and_those_without_effect_are_on_the_page() -> (
    None
):
    text = section("Server and settings")

    for name in (*RULES, *SETTINGS, "transaction_timeout", "synchronous_commit"):
        assert f"`{name}`" in text, name
    assert f"newer than Postgres {NEWEST_TESTED_VERSION} " in text


def test_times_of_an_attempt_that_waits_for_a_pool_are_on_the_page() -> None:
    text = section("Poolers and RDS Proxy")

    assert f"waits at most {RESPONSE_TIMEOUT_S:.0f} s for an answer" in text
    assert RETRY_PERIOD_S == 60
    assert "tries again for a minute" in text
    delays = [FIRST_RETRY_S * 2**n for n in range(4)]
    assert "back after {} s, then after {} s, {} s and {} s".format(*delays) in text
    assert f"`statement_timeout` ({STATEMENT_TIMEOUT_S} s)" in text
    assert f"`lock_timeout` ({LOCK_TIMEOUT_S} s)" in text
