"""deploy/try_stack.py, with the sandbox in place of a deployed stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest

from handler import app
from salespro_cli.sandbox.function import Invocation
from salespro_cli.sandbox.local_aws import REGION, REPORTS, UPLOADS
from tests.support import paths
from tests.support.servers.sandbox import sandbox
from tests.support.terminal import Terminal
from tests.support.world.world import discard_environment

STACK = "salespro-staging"
SCRIPT = paths.ROOT / "deploy" / "try_stack.py"


OUTPUTS = {
    "UploadBucket": UPLOADS,
    "ReportBucket": REPORTS,
    "FunctionName": "salespro-importer",
}
DESCRIBED = """
<DescribeStacksResponse><DescribeStacksResult><Stacks><member>
<StackName>{name}</StackName><Outputs>{outputs}</Outputs>
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>
"""
MEMBER = """
<member><OutputKey>{0}</OutputKey><OutputValue>{1}</OutputValue></member>
"""
NO_STACK = """
<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>
<Message>Stack with id {name} does not exist</Message></Error></ErrorResponse>
"""


class _Api(BaseHTTPRequestHandler):
    """CloudFormation's DescribeStacks, and Lambda's Invoke with the real handler.

    Moto's Lambda needs Docker, and its CloudFormation needs packages that we do not have.
    """

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/":
            status, answer = self._describe(parse_qs(body.decode())["StackName"][0])
        else:
            assert self.path == "/2015-03-31/functions/salespro-importer/invocations"
            context: Any = Invocation(deadline=time.monotonic() + 60)
            result = app.lambda_handler(json.loads(body), context)
            status, answer = 200, json.dumps(result)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def _describe(self, name: str) -> tuple[int, str]:
        if name != STACK:
            return 400, NO_STACK.format(name=name)
        outputs = "".join(MEMBER.format(*each) for each in OUTPUTS.items())
        return 200, DESCRIBED.format(name=name, outputs=outputs)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def stack_api() -> Iterator[dict[str, str]]:
    """Run both APIs; yield the variables that lead to them."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        services = ("LAMBDA", "CLOUDFORMATION")
        yield {f"AWS_ENDPOINT_URL_{service}": address for service in services}
        server.shutdown()


def run_script(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, SCRIPT, *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[None]:
    """Credentials of the sandbox, and the settings of the function."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "NO_PROXY": "127.0.0.1",
        "DATABASE_URL": database_url,
        "REPORT_BUCKET": REPORTS,
        "UPLOAD_BUCKETS": UPLOADS,
    }.items():
        monkeypatch.setenv(name, value)
    yield
    monkeypatch.undo()
    boto3.setup_default_session()
    discard_environment()


def use_sandbox(endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the function of this process use the sandbox's buckets, and a database."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("DATABASE_URL", url)
    boto3.setup_default_session()
    discard_environment()


@pytest.mark.usefixtures("aws")
def test_stack_is_migrated_checked_and_tried_with_a_dry_run(
    tmp_path: Path,
    empty_database_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    with sandbox(terminal) as running, stack_api() as endpoints:
        use_sandbox(running.endpoint, empty_database_url, monkeypatch)

        unmigrated = run_script(STACK, **endpoints)
        done = run_script(STACK, "--migrate", **endpoints)
        missing = run_script("no-such-stack", **endpoints)

    assert unmigrated.returncode == 1
    assert unmigrated.stderr.startswith(f"{STACK}: check is not ok: table missing: ")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "migrate: ok\ncheck: ok\ndry run: ok, 2,374 rows\n"
    assert missing.returncode == 1
    assert "no-such-stack" in missing.stderr


@pytest.mark.usefixtures("aws")
def test_missing_report_is_an_error_that_says_where_to_look(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(tmp_path, {"DATABASE_URL": database_url})
    with sandbox(terminal, "--no-function") as running, stack_api() as endpoints:
        use_sandbox(running.endpoint, database_url, monkeypatch)

        done = run_script(STACK, "--timeout", "0", **endpoints)

    assert done.returncode == 1
    assert done.stdout == "check: ok\n"
    assert "has no report after 0 s: look at the function's log" in done.stderr
