"""deploy/deploy-role.yaml: the least that the pipeline needs, and enough for template.yaml."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support import paths
from tests.support.sam_template import as_list, statements, template

ROLES = template("deploy/deploy-role.yaml")["Resources"]
# Type of a resource -> what CloudFormation needs to create it (the types' schemas,
# `handlers.create.permissions`).
CREATES = {
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard",
    "AWS::CodeDeploy::Application": "codedeploy:CreateApplication",
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy:CreateDeploymentGroup",
    "AWS::Events::Rule": "events:PutRule",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Lambda::Alias": "lambda:CreateAlias",
    "AWS::Lambda::EventSourceMapping": "lambda:CreateEventSourceMapping",
    "AWS::Lambda::Permission": "lambda:AddPermission",
    "AWS::Lambda::Version": "lambda:PublishVersion",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::Logs::QueryDefinition": "logs:PutQueryDefinition",
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::SNS::Subscription": "sns:Subscribe",
    "AWS::Lambda::Function": "lambda:CreateFunction",
    "AWS::SNS::Topic": "sns:CreateTopic",
    "AWS::SNS::TopicPolicy": "sns:SetTopicAttributes",
    "AWS::SQS::Queue": "sqs:CreateQueue",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::Serverless::Function": "lambda:CreateFunction",
}
# Statements whose actions support no resource; the Service Authorization Reference says which.
ANY_RESOURCE = {
    "SummariseATemplate",
    "EventSource",
    "LookAtEventSource",
    "LogQueries",
    "NetworkOfTheFunction",
}


def policies_of(role: str) -> list[dict[str, Any]]:
    return list(statements(ROLES[role]["Properties"]["Policies"]))


def actions_of(role: str) -> set[str]:
    return {str(each) for s in policies_of(role) for each in as_list(s["Action"])}


def test_role_may_create_every_type_of_resource_of_the_template() -> None:
    types = {resource["Type"] for resource in template()["Resources"].values()}

    assert types <= CREATES.keys(), "say what CloudFormation needs for the new type"
    assert {CREATES[type_] for type_ in types} <= actions_of("ResourceRole")


def test_names_of_the_template_begin_with_the_name_of_the_stack() -> None:
    """The role may manage resources by this prefix only."""
    text = (paths.ROOT / "template.yaml").read_text(encoding="utf-8")
    kinds = "Bucket|Queue|Function|Alarm|LogGroup|Topic|Rule|Role|Application"
    names = re.findall(rf"\b(?:{kinds})Name: !Sub \"?([^\s\"]+)", text)

    assert len(names) > 10
    for name in names:
        assert name.startswith(("${AWS::StackName}-", "/aws/lambda/${AWS::StackName}-"))


@pytest.mark.parametrize("role", ["PipelineRole", "ResourceRole"])
def test_statements_name_actions_and_resources(role: str) -> None:
    for statement in policies_of(role):
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:[A-Z]\w+\*?", str(action)), action
            assert "*" not in str(action) or action == "s3:GetBucket*"
        is_any = "*" in as_list(statement["Resource"])
        assert is_any is (statement["Sid"] in ANY_RESOURCE), statement["Sid"]


def test_only_jobs_of_the_environment_may_assume_the_role() -> None:
    """A condition on the repository alone would let each branch and pull request deploy."""
    [trust] = ROLES["PipelineRole"]["Properties"]["AssumeRolePolicyDocument"][
        "Statement"
    ]
    issuer = "token.actions.githubusercontent.com"

    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": {
                "Fn::Sub": "repo:${Repository}:environment:${Environment}"
            },
        }
    }


def test_pipeline_itself_may_not_manage_resources_or_read_uploads() -> None:
    actions = actions_of("PipelineRole")

    assert not {a for a in actions if a.startswith(("iam:Put", "iam:Create", "sqs:"))}
    reads = [s for s in policies_of("PipelineRole") if s["Action"] == "s3:GetObject"]
    assert [s["Sid"] for s in reads] == ["ReadItsReport"]


def test_roles_are_passed_to_one_service_each() -> None:
    for role in ("PipelineRole", "ResourceRole"):
        passes = [s for s in policies_of(role) if s["Action"] == "iam:PassRole"]
        assert len(passes) == 1
        assert "iam:PassedToService" in passes[0]["Condition"]["StringEquals"]
