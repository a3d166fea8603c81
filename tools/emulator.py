"""Run the built function in Lambda's Runtime Interface Emulator, which SAM's package contains.

The emulator runs the folder that `make build` has made, with the handler, the timeout and
the settings of the built template.  Its Python has the runtime's version and only
awslambdaric installed: all other packages must come from the build.  It needs no Docker.
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
# Time for a response beyond the function's timeout: that of a cold start.
_COLD_START_S: Final = 30.0
_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Function:
    """The function as the built template describes it.

    Attributes:
        folder: of the deployment package.
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
        FileNotFoundError: `make build` was not run.
    """
    template = yaml.safe_load((BUILD / "template.yaml").read_text(encoding="utf-8"))
    properties = template["Resources"][FUNCTION]["Properties"]
    defaults = {
        name: parameter.get("Default")
        for name, parameter in template["Parameters"].items()
    }

    def resolved(value: object) -> Any:  # noqa: ANN401 -- any YAML value
        match value:
            case {"Ref": str(name)}:
                return defaults.get(name)
            case _:
                return value

    settings = {
        name: resolved(value)
        for name, value in properties["Environment"]["Variables"].items()
    }
    return Function(
        folder=BUILD / properties["CodeUri"],
        handler=properties["Handler"],
        timeout_s=int(resolved(properties["Timeout"])),
        memory_mb=int(resolved(properties["MemorySize"])),
        environment={
            name: str(value)
            for name, value in settings.items()
            if isinstance(value, str | int) and str(value)
        },
    )


class Emulator:
    """A running function; it handles one event at a time."""

    def __init__(self, port: int, timeout_s: int, log: Path, pid: int) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._log = log
        self._pid = pid

    def invoke(self, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
        """Return the response; an error or a timeout is a response too, as in Lambda.

        Raises:
            OSError: the emulator does not answer.
        """
        path = "2015-03-31/functions/function/invocations"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/{path}", json.dumps(event).encode()
        )
        # Not through a proxy, whose localhost is another machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(
                request, timeout=self._timeout_s + _COLD_START_S
            ) as response:
                body = response.read().decode()
        except HTTPError as error:  # the function did not start
            body = error.read().decode()
        try:
            return json.loads(body)
        except ValueError:  # a timeout is plain text
            return body

    @property
    def output(self) -> str:
        """The output of the function and the emulator so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def json_lines(self) -> list[dict[str, Any]]:
        """The lines of the output that are JSON: log and metrics."""
        lines = self.output.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def function_pid(self) -> int:
        """The process id of the function's Python.

        Raises:
            LookupError: the process does not exist, for example before the first event.
        """
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
        tasks = Path(f"/proc/{self._pid}/task").glob("*/children")
        for listed in (children, *tasks):
            with suppress(OSError):
                if pids := listed.read_text(encoding="ascii").split():
                    return int(pids[0])
        raise LookupError("the function's process does not exist")

    def peak_mb(self) -> float:
        """The peak resident memory of the function's process.

        Raises:
            LookupError: the process does not exist.
        """
        status = Path(f"/proc/{self.function_pid()}/status").read_text(encoding="ascii")
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
    """Start the built function, and end its processes after the block.

    Args:
        environ: settings and credentials; they override the defaults of the template.
        log: file for the output.
        timeout_s: instead of the timeout in the template.
        data_mb: kernel limit (RLIMIT_DATA) beyond which an allocation of the process
            fails; needs `prlimit` of util-linux.

    Raises:
        FileNotFoundError: the build, SAM, the runtime's venv or `prlimit` is missing.
        TimeoutError: the emulator does not start.
    """
    function = built_function()
    timeout_s = timeout_s or function.timeout_s
    port, api_port = _free_port(), _free_port()
    limit = [_program("prlimit"), f"--data={data_mb * _MB}"] if data_mb else []
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 -- our own build
            [
                _emulator_binary(),
                *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                *("--runtime-api-address", f"127.0.0.1:{api_port}"),
                *limit,
                *(str(PYTHON), "-m", "awslambdaric", function.handler),
            ],
            cwd=function.folder,
            # Not the environment of this process: no PYTHONPATH and no credentials.
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
            # The function is in another process group, and would outlive the emulator.
            with suppress(LookupError, ProcessLookupError):
                os.kill(running.function_pid(), signal.SIGKILL)
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
    candidates = (ROOT / ".venv-sam" / "lib").glob(f"python3*/site-packages/{name}")
    binary = next(candidates, None)
    if binary is None:
        raise FileNotFoundError("SAM is missing: run make build")
    return binary


def _program(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise FileNotFoundError(name)
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
