"""The built function in Lambda's Runtime Interface Emulator, as SAM's package brings it.

It runs what `make build` has made with the handler, the timeout and the settings of the
built template, in a Python of the runtime's version beside which nothing is installed but
awslambdaric: all else has to come from the build.  No Docker is needed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import yaml

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / ".aws-sam" / "build"
PYTHON: Final = ROOT / ".venv-runtime" / "bin" / "python"
FUNCTION: Final = "Importer"
_MACHINES: Final = {"aarch64": "arm64", "arm64": "arm64"}
_START_S: Final = 20.0
# What an answer may take beyond the timeout: that of a cold start.
_SLACK_S: Final = 30.0
_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Function:
    """What the built template says of the function.

    Attributes:
        folder: what Lambda would get.
        environment: the settings that have a default in the template.
    """

    folder: Path
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]


def built_function() -> Function:
    """Read the built template.

    Raises:
        FileNotFoundError: nothing is built yet.
    """
    template = yaml.safe_load((BUILD / "template.yaml").read_text(encoding="utf-8"))
    found = template["Resources"][FUNCTION]["Properties"]
    defaults = {
        name: parameter.get("Default")
        for name, parameter in template["Parameters"].items()
    }

    def resolved(value: object) -> Any:  # noqa: ANN401 -- what YAML holds
        match value:
            case {"Ref": str(name)}:
                return defaults.get(name)
            case _:
                return value

    settings = {
        name: resolved(value)
        for name, value in found["Environment"]["Variables"].items()
    }
    return Function(
        folder=BUILD / found["CodeUri"],
        handler=found["Handler"],
        timeout_s=int(resolved(found["Timeout"])),
        memory_mb=int(resolved(found["MemorySize"])),
        environment={
            name: str(value)
            for name, value in settings.items()
            if isinstance(value, str | int) and str(value)
        },
    )


class Emulator:
    """A function that waits for events; one at a time."""

    def __init__(self, port: int, timeout_s: int, log: Path, pid: int) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._log = log
        self._pid = pid

    def invoke(self, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
        """Return the answer; errors and timeouts are answers, too, as Lambda gives them."""
        path = "2015-03-31/functions/function/invocations"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/{path}", json.dumps(event).encode()
        )
        # A proxy of this machine knows another localhost.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self._timeout_s + _SLACK_S) as answer:
                body = answer.read().decode()
        except HTTPError as error:  # a function that does not even start
            body = error.read().decode()
        try:
            return json.loads(body)
        except ValueError:  # a timeout is told in plain words
            return body

    @property
    def told(self) -> str:
        """All that the function and the emulator have said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """What of it CloudWatch would know as JSON."""
        return [json.loads(line) for line in self.told.splitlines() if line[:1] == "{"]

    def process(self) -> int:
        """Process id of the function's Python.

        Raises:
            LookupError: there is none, since nothing was invoked yet.
        """
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
        tasks = Path(f"/proc/{self._pid}/task").glob("*/children")
        for listed in (children, *tasks):
            with suppress(OSError):
                if found := listed.read_text(encoding="ascii").split():
                    return int(found[0])
        raise LookupError("the function's process is not there")

    def peak_mb(self) -> float:
        """The most resident memory that its process ever had."""
        status = Path(f"/proc/{self.process()}/status").read_text(encoding="ascii")
        [peak] = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024


@contextmanager
def emulator(
    environ: Mapping[str, str],
    log: Path,
    *,
    timeout_s: int | None = None,
    data_mb: int | None = None,
) -> Iterator[Emulator]:
    """Start the built function, and end it with all that it has started.

    Args:
        environ: settings and credentials; the template's defaults come before them.
        log: where all that is said goes.
        timeout_s: another one than the template's.
        data_mb: a limit that the kernel holds the process to (RLIMIT_DATA): beyond it an
            allocation fails.  Needs `prlimit` of util-linux.

    Raises:
        FileNotFoundError: nothing is built yet, or SAM or the runtime's venv is missing.
        TimeoutError: the emulator does not start.
    """
    function = built_function()
    timeout_s = timeout_s or function.timeout_s
    port, api_port = _free_port(), _free_port()
    limit = [_program("prlimit"), f"--data={data_mb * _MB}"] if data_mb else []
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 -- what we have built
            [
                _emulator_binary(),
                *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                *("--runtime-api-address", f"127.0.0.1:{api_port}"),
                *limit,
                *(str(PYTHON), "-m", "awslambdaric", function.handler),
            ],
            cwd=function.folder,
            # Nothing of ours: neither a PYTHONPATH nor anybody's credentials.
            env={
                "PATH": "/usr/bin:/bin",
                "LAMBDA_TASK_ROOT": str(function.folder),
                "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
                **function.environment,
                **environ,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(port, process)
            yield Emulator(port, timeout_s, log, process.pid)
        finally:
            running = Emulator(port, timeout_s, log, process.pid)
            # The function has a group of its own, and would outlive the emulator.
            with suppress(LookupError, ProcessLookupError):
                os.kill(running.process(), signal.SIGKILL)
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("the emulator does not start")


def _emulator_binary() -> Path:
    machine = _MACHINES.get(platform.machine(), "x86_64")
    name = f"samcli/local/rapid/aws-lambda-rie-{machine}"
    places = (ROOT / ".venv-sam" / "lib").glob(f"python3*/site-packages/{name}")
    found = next(places, None)
    if found is None:
        raise FileNotFoundError("SAM is missing: make build")
    return found


def _program(name: str) -> str:
    if (found := shutil.which(name)) is None:
        raise FileNotFoundError(name)
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
