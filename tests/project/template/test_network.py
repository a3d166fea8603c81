"""deploy/network.yaml: the endpoints of the services that the function uses, and who reaches what."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.sam_template import template
from tools.templates.resolve import (
    parameter_values,
    references,
    resolve,
    rules_are_met,
)

NETWORK = template("deploy/network.yaml")
VPC = {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2", "RouteTableIds": "rtb-1"}
ENDPOINTS = {
    "S3Endpoint": "s3",
    "SqsEndpoint": "sqs",
    "SecretsManagerEndpoint": "secretsmanager",
    "SnsEndpoint": "sns",
    "LogsEndpoint": "logs",
}


def resources(**given: str) -> dict[str, Any]:
    values = parameter_values(NETWORK, VPC | given)
    assert rules_are_met(NETWORK, values)
    found: dict[str, Any] = resolve(NETWORK, values)["Resources"]
    return found


def services(found: dict[str, Any]) -> set[str]:
    """The services of the endpoints."""
    return {
        each["Properties"]["ServiceName"]["Fn::Sub"].rpartition(".")[2]
        for each in found.values()
        if each["Type"] == "AWS::EC2::VPCEndpoint"
    }


@pytest.mark.parametrize("parameter", ENDPOINTS)
def test_each_endpoint_is_made_only_if_its_parameter_is_true(parameter: str) -> None:
    none = dict.fromkeys(ENDPOINTS, "false")

    assert services(resources(**none)) == set()
    assert services(resources(**none | {parameter: "true"})) == {ENDPOINTS[parameter]}


def test_there_is_an_endpoint_for_every_client_of_the_function() -> None:
    """The token of rds is made without a request."""
    [shipped] = re.findall(
        r"^SERVICES := (.*)$", (ROOT / "src" / "Makefile").read_text(), re.MULTILINE
    )

    assert set(shipped.split()) - {"rds"} == set(ENDPOINTS.values()) - {"logs"}


@pytest.mark.parametrize("group", ["", "sg-0a1b"])
def test_function_reaches_the_database_and_tls_and_nothing_reaches_the_function(
    group: str,
) -> None:
    found = resources(DatabaseSecurityGroupId=group, DbPort="6432")
    function = found["FunctionGroup"]["Properties"]
    egress = found["DatabaseEgress"]["Properties"]

    assert "SecurityGroupIngress" not in function
    assert [rule["FromPort"] for rule in function["SecurityGroupEgress"]] == [443]
    assert (egress["FromPort"], egress["ToPort"]) == ("6432", "6432")
    assert egress.get("DestinationSecurityGroupId", "") == group
    assert ("CidrIp" in egress) is (group == "")
    assert ("DatabaseIngress" in found) is (group != "")
    known = {*found, "AWS::Region"}
    assert set(references(found)) <= known


def test_endpoint_of_s3_needs_route_tables() -> None:
    values = parameter_values(NETWORK, VPC | {"RouteTableIds": ""})

    assert not rules_are_met(NETWORK, values)
    assert rules_are_met(NETWORK, values | {"S3Endpoint": "false"})
