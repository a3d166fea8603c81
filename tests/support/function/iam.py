"""Actions run with limited permissions, which moto checks as IAM does."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.core import set_initial_no_auth_action_count

from tests.support.function.cloud import Cloud


def run_action_with_permissions(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    permissions: list[str],
    action: str,
    **fields: object,
) -> dict[str, Any]:
    """Invoke with `{"action": …}` and the credentials of a user with these permissions.

    Args:
        permissions: such as `s3:PutObject`; each is granted for all resources.
    """
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": permissions, "Resource": "*"}],
    }
    iam = boto3.client("iam")
    name = f"importer-{uuid4()}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy)
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]

    @set_initial_no_auth_action_count(0)
    def run() -> dict[str, Any]:
        boto3.setup_default_session()  # with the new credentials
        return cloud.run_action(action, **fields)

    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        answer = run()
    boto3.setup_default_session()
    return answer
