"""Gradual releases: the version, the alias, the hook that checks, the alarms that roll back."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

import pytest

from tests.support.sam_template import deployed, properties, statements, template
from tools.templates.combinations import CANARY, SECRET

HOOK_EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "execution"}
RELEASE = SECRET | CANARY


def resources(**given: str) -> dict[str, Any]:
    found: dict[str, Any] = deployed(RELEASE | given)["Resources"]
    return found


def test_new_name_publishes_a_version_and_changes_the_function() -> None:
    """CloudFormation replaces a version whose description changes.

    Lambda refuses to publish one if the function has not changed since the last.
    """
    old, new = resources(Release="r1"), resources(Release="r2")

    changed = {name for name in new if new[name] != old[name]}
    assert changed == {"Importer", "ReleasedVersion"}
    assert new["ReleasedVersion"]["Properties"]["Description"] == "r2"
    assert new["Importer"]["Properties"]["Description"].endswith("release r2")
    assert new["ReleasedVersion"]["UpdateReplacePolicy"] == "Retain"


def test_uploads_and_the_schedule_invoke_the_alias() -> None:
    found = resources(ReconcileSchedule="rate(1 day)")
    alias = {"Ref": "LiveAlias"}

    assert found["ImporterUpload"]["Properties"]["FunctionName"] == alias
    [target] = found["ReconcileRule"]["Properties"]["Targets"]
    assert target["Arn"] == alias
    assert found["ReconcilePermission"]["Properties"]["FunctionName"] == alias
    assert found["LiveAlias"]["Properties"]["FunctionVersion"] == {
        "Fn::GetAtt": "ReleasedVersion.Version"
    }


@pytest.mark.parametrize(
    "kind", template()["Parameters"]["ReleaseType"]["AllowedValues"]
)
def test_codedeploy_moves_the_alias_in_the_way_of_the_parameter(kind: str) -> None:
    if kind == "Direct":
        assert "LiveAlias" not in resources(ReleaseType=kind)
        return
    found = resources(ReleaseType=kind)
    group = found["ReleaseGroup"]["Properties"]

    # Source: AWS CodeDeploy User Guide, "Predefined deployment configurations".
    assert group["DeploymentConfigName"] == f"CodeDeployDefault.Lambda{kind}"
    update = found["LiveAlias"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update == {
        "ApplicationName": {"Ref": "ReleaseApplication"},
        "DeploymentGroupName": {"Ref": "ReleaseGroup"},
        "BeforeAllowTrafficHook": {"Ref": "ReleaseHook"},
    }


def test_only_alarms_that_end_by_themselves_stop_a_release() -> None:
    """Otherwise messages in the dead-letter queue would stop the release that corrects them."""
    group = properties("ReleaseGroup")
    alarms = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]

    assert alarms == ["ReleaseAlarm", "ErrorsAlarm"]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    # Soon enough for the shortest canary, and no message to people.
    alarm = properties("ReleaseAlarm")
    periods = [m["MetricStat"]["Period"] for m in alarm["Metrics"] if "MetricStat" in m]
    assert set(periods) == {60}
    assert "AlarmActions" not in alarm


class FakeAws:
    """Lambda and CodeDeploy as the hook sees them; moto runs functions only in Docker."""

    def __init__(self, answers: list[object]) -> None:
        self.answers = answers
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        self.statuses: list[dict[str, str]] = []

    def client(self, _name: str, **_config: object) -> FakeAws:
        """Both clients are this object."""
        return self

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        """Answer as the version does, or fail."""
        self.invoked.append((FunctionName, json.loads(Payload)))
        answer = self.answers[len(self.invoked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def put_lifecycle_event_hook_execution_status(self, **status: str) -> None:
        """Remember what CodeDeploy is told."""
        self.statuses.append(status)


def run_hook(
    monkeypatch: pytest.MonkeyPatch, actions: str, answers: list[object]
) -> FakeAws:
    """Run the code in the template."""
    monkeypatch.setenv("VERSION", "arn:version")
    monkeypatch.setenv("ACTIONS", actions)
    names: dict[str, Any] = {}
    exec(properties("ReleaseHook")["Code"]["ZipFile"], names)  # noqa: S102 -- our own code
    aws = FakeAws(answers)
    names["boto3"] = aws
    with suppress(TimeoutError):
        names["lambda_handler"](HOOK_EVENT, None)
    return aws


OK = {"ok": True}


@pytest.mark.parametrize(
    ("actions", "answers", "invoked", "status"),
    [
        ("check", [OK], ["check"], "Succeeded"),
        ("migrate check", [OK, OK], ["migrate", "check"], "Succeeded"),
        ("check", [{"ok": False}], ["check"], "Failed"),
        ("migrate check", [{"ok": False}, OK], ["migrate"], "Failed"),
        ("check", [{"errorType": "Runtime.ImportModuleError"}], ["check"], "Failed"),
        ("check", [TimeoutError()], ["check"], "Failed"),
    ],
    ids=str,
)
def test_hook_lets_only_a_version_import_whose_actions_are_ok(
    monkeypatch: pytest.MonkeyPatch,
    actions: str,
    answers: list[object],
    invoked: list[str],
    status: str,
) -> None:
    aws = run_hook(monkeypatch, actions, answers)

    assert aws.invoked == [("arn:version", {"action": name}) for name in invoked]
    assert aws.statuses == [
        {
            "deploymentId": "d-1",
            "lifecycleEventHookExecutionId": "execution",
            "status": status,
        }
    ]


@pytest.mark.parametrize(
    ("migrates", "actions"), [("false", "check"), ("true", "migrate check")]
)
def test_hook_migrates_before_the_check_if_the_parameter_says_so(
    migrates: str, actions: str
) -> None:
    hook = resources(MigrateOnRelease=migrates)["ReleaseHook"]["Properties"]

    assert hook["Environment"]["Variables"]["ACTIONS"] == actions
    assert hook["Environment"]["Variables"]["VERSION"] == {"Ref": "ReleasedVersion"}
    # Two actions, each as long as the function may take.
    assert hook["Timeout"] > 2 * properties("Importer")["Timeout"]


def test_hook_may_invoke_the_versions_and_answer_codedeploy() -> None:
    allowed = {
        str(s["Action"]): s["Resource"]["Fn::Sub"]
        for s in statements(properties("ReleaseHookRole")["Policies"])
        if "Fn::Sub" in s["Resource"]
    }

    assert allowed["lambda:InvokeFunction"] == "${Importer.Arn}:*"
    # CodeDeploy may invoke the hook.  By name, since a reference would be a circle.
    [invoke] = statements(properties("ReleaseRole")["Policies"])
    name = properties("ReleaseHook")["FunctionName"]["Fn::Sub"]
    assert invoke["Resource"]["Fn::Sub"].endswith(f":function:{name}")
    assert set(allowed) == {
        "lambda:InvokeFunction",
        "codedeploy:PutLifecycleEventHookExecutionStatus",
    }
