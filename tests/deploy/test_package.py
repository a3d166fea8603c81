"""The zip for other tools than SAM, and its contract."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from handler.events import SUFFIXES
from tests.support.sam_template import properties, statements
from tools.package.build_zip import CONTRACT, contract_text, pack


def test_contract_is_that_of_the_template() -> None:
    text = CONTRACT.read_text(encoding="utf-8")

    assert text == contract_text(), "run `make contract`"


def test_contract_has_every_action_of_the_role_and_every_suffix() -> None:
    text = contract_text()

    for statement in statements(properties("ImporterRole")["Policies"]):
        actions = statement["Action"]
        for action in actions if isinstance(actions, list) else [actions]:
            assert f'"{action}"' in text
    for suffix in SUFFIXES:
        assert any(f'"{end}"' in text for end in (suffix, suffix[-3:]))


def test_same_files_give_the_same_zip_and_lambda_may_read_them(tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "handler").mkdir(parents=True)
    for name in ("b.py", "a.py"):
        (build / "handler" / name).write_text(name)
    (build / "handler" / "a.py").chmod(0o600)

    pack(build, tmp_path / "first.zip")
    (build / "handler" / "b.py").touch()
    pack(build, tmp_path / "second.zip")

    first = (tmp_path / "first.zip").read_bytes()
    assert first == (tmp_path / "second.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        assert archive.namelist() == ["handler/a.py", "handler/b.py"]
        for info in archive.infolist():
            assert stat.S_IMODE(info.external_attr >> 16) == 0o644
