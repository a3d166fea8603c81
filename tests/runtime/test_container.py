"""`sam local invoke` of events/README.md, without Docker."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import boto3
import psycopg
import pytest
import yaml

from salespro_cli.local_postgres import embedded
from salespro_cli.sandbox.local_aws import UPLOADS
from tests.runtime.environment import Environment
from tests.support.function.notifications import sample_event
from tests.support.paths import EVENTS, SAMPLE_EXPORT
from tests.support.terminal import Terminal
from tools.emulator import emulator

pytestmark = pytest.mark.runtime


def test_function_at_another_address_reaches_the_sandbox(
    environment: Environment, tmp_path: Path
) -> None:
    """Like `sam local invoke` in events/README.md, without Docker.

    The function has the variables of local.env.json with another host and port.
    """
    if not _is_free(embedded.PORT):
        pytest.skip(f"port {embedded.PORT} is taken on this machine")
    variables = json.loads((EVENTS / "local.env.json").read_text("utf-8"))["Importer"]
    template = yaml.safe_load((EVENTS / "local.yaml").read_text("utf-8"))
    declared = template["Resources"]["Importer"]["Properties"]["Environment"]
    assert set(declared["Variables"]) == set(variables)
    terminal = Terminal(tmp_path, {"DATABASE_URL": ""})
    output = tmp_path / "output"
    arguments = ("sandbox", "--host", "0.0.0.0", "--no-function", "--port", "0")  # noqa: S104
    with (
        output.open("w", encoding="utf-8") as stdout,
        terminal.start(*arguments, stdout=stdout, stderr=stdout) as sandbox,
    ):
        try:
            port = _wait_for_output(
                output, r"listen on http://127\.0\.0\.1:(\d+), .*\nNo function"
            )
            body = SAMPLE_EXPORT.read_bytes()
            s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
            s3.put_object(Bucket=UPLOADS, Key=SAMPLE_EXPORT.name, Body=body)
            address = _network_address()
            environ = {
                name: value.replace("host.docker.internal", address).replace(
                    ":5000", f":{port}"
                )
                for name, value in variables.items()
            }
            names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
            environ |= {name: environment.variables[name] for name in names} | {
                "NO_PROXY": address
            }
            with emulator(environ, environment.log) as running:
                response = running.invoke(sample_event("s3-put.json"))
                checked = running.invoke({"action": "check", "bucket": UPLOADS})
            superuser_error = _connect_as_superuser(address)
        finally:
            sandbox.terminate()

    assert response["imports"][0]["records_created"] == 2374
    assert checked["ok"] is True
    assert "password" in superuser_error


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


def _network_address() -> str:
    """The address of this machine in its network; localhost without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _wait_for_output(output: Path, pattern: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if match := re.search(pattern, output.read_text(encoding="utf-8")):
            return match[1]
        time.sleep(0.05)
    raise AssertionError(output.read_text(encoding="utf-8"))


def _connect_as_superuser(host: str) -> str:
    """The error of a connection as superuser from the network."""
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(host=host, port=embedded.PORT, user="postgres", password="x")  # noqa: S106
    return str(refused.value)
