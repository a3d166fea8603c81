"""Settings of the function whose password is in a secret."""

from __future__ import annotations

import boto3

from handler.settings import Settings


def settings_of(**environ: str) -> Settings:
    """The settings in this environment; REPORT_BUCKET is set."""
    return Settings.from_env({"REPORT_BUCKET": "salespro-reports", **environ})


def create_secret(value: str | bytes) -> str:
    """Create a secret in Secrets Manager, and return its ARN."""
    client = boto3.client("secretsmanager")
    if isinstance(value, bytes):
        response = client.create_secret(Name="sales", SecretBinary=value)
    else:
        response = client.create_secret(Name="sales", SecretString=value)
    return str(response["ARN"])
