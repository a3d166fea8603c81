"""The workflow of GitHub Actions, its script, and the environments that it deploys."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import paths
from tests.support.sam_template import template

DEPLOY = paths.ROOT / "deploy"
WORKFLOW = paths.ROOT / ".github" / "workflows" / "deploy.yml"
# Of GitHub and AWS only: another owner's code would get the credentials of prod.
ACTIONS = {
    "actions/checkout@v4",
    "actions/setup-python@v5",
    "actions/upload-artifact@v4",
    "actions/download-artifact@v4",
    "aws-actions/configure-aws-credentials@v4",
}
EXAMPLE = tomllib.loads((DEPLOY / "samconfig.toml.example").read_text("utf-8"))
ENVIRONMENTS = ("dev", "staging", "prod")


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return loaded


def steps_of(job: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = workflow()["jobs"][job]["steps"]
    return steps


def test_prod_comes_after_staging_and_staging_after_all_tests() -> None:
    jobs = workflow()["jobs"]

    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "test": None,
        "build": "test",
        "staging": "build",
        "prod": "staging",
    }
    assert ".ci/run" in [step.get("run") for step in steps_of("test")]
    # The required reviewers of an environment are the approval.
    assert [jobs[name]["environment"] for name in ("staging", "prod")] == [
        "staging",
        "prod",
    ]
    assert steps_of("staging") == steps_of("prod")


def test_only_deployments_may_ask_for_a_token_and_no_key_is_stored() -> None:
    loaded = workflow()

    assert loaded["permissions"] == {}
    for name, job in loaded["jobs"].items():
        may_ask = job["permissions"].get("id-token") == "write"
        assert may_ask is (name in ("staging", "prod"))
        assert may_ask is ("environment" in job)
        assert set(job["permissions"]) <= {"contents", "id-token"}
        assert job["timeout-minutes"] > 0
    assert "secrets." not in WORKFLOW.read_text(encoding="utf-8")


def test_actions_are_of_github_and_aws_and_the_checkout_keeps_no_token() -> None:
    steps = [step for job in workflow()["jobs"] for step in steps_of(job)]

    assert {step["uses"] for step in steps if "uses" in step} == ACTIONS
    for step in steps:
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"] == {"persist-credentials": False}


def test_commands_of_the_workflow_are_valid_and_exist() -> None:
    makefile = (paths.ROOT / "Makefile").read_text(encoding="utf-8")
    steps = [step for job in workflow()["jobs"] for step in steps_of(job)]
    commands = [step["run"] for step in steps if "run" in step]

    for command in commands:
        subprocess.run(["bash", "-n", "-c", command], check=True)  # noqa: S603, S607
        # An expression is replaced before the shell runs: it could be another command.
        assert "${{" not in command
        first, *arguments = command.split()
        if first == "make":
            for target in arguments:
                assert re.search(rf"^{target}: ", makefile, re.MULTILINE), target
        elif "/" in first:
            assert os.access(paths.ROOT / first, os.X_OK), first


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_of_the_example_is_accepted_by_the_template(name: str) -> None:
    settings = EXAMPLE[name]["deploy"]["parameters"]
    given = dict(each.split("=", 1) for each in settings["parameter_overrides"])
    parameters = template()["Parameters"]

    assert given.keys() <= parameters.keys()
    for key, value in given.items():
        declared = parameters[key]
        assert re.search(declared.get("AllowedPattern", ""), value), key
        assert value in map(str, declared.get("AllowedValues", [value])), key
    assert {"DbSecretArn", "DbUser"} & given.keys() == {"DbSecretArn"}
    # The names of the buckets begin with it.
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,39}", settings["stack_name"])
    # The folder in the artifact bucket to which the deploy role may write.
    assert settings["s3_prefix"] == settings["stack_name"]
    assert settings["capabilities"] == "CAPABILITY_IAM"


def test_environments_are_in_accounts_of_their_own() -> None:
    text = {name: str(EXAMPLE[name]) for name in ENVIRONMENTS}
    accounts = {name: set(re.findall(r":(\d{12}):", text[name])) for name in text}

    assert all(len(found) == 1 for found in accounts.values())
    assert len(set.union(*accounts.values())) == len(ENVIRONMENTS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script and its files, and a `sam` that writes its arguments."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    shutil.copytree(paths.EVENTS, tmp_path / "events")
    (tmp_path / "Makefile").write_text(".venv-sam/ready:\n")
    programs = tmp_path / ".venv-sam" / "bin"
    programs.mkdir(parents=True)
    for name, line in {
        "python": f'exec {sys.executable} "$@"',
        "sam": 'printf "%s\\n" "$@" > arguments',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    return tmp_path


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run release.sh; nothing listens at the address of AWS."""
    aws = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return subprocess.run(  # noqa: S603 -- our own script
        [folder / "deploy" / "release.sh", *arguments],
        env=os.environ | aws,
        capture_output=True,
        text=True,
        check=False,
    )


def test_release_deploys_the_environment_and_then_tries_its_stack(
    checkout: Path,
) -> None:
    example = checkout / "deploy" / "samconfig.toml.example"
    example.rename(checkout / "deploy" / "samconfig.toml")

    done = release(checkout, "staging")

    assert (checkout / "arguments").read_text().splitlines() == [
        *("deploy", "--template-file", ".aws-sam/build/template.yaml"),
        *("--config-file", str(checkout / "deploy" / "samconfig.toml")),
        *("--config-env", "staging", "--no-confirm-changeset"),
    ]
    assert done.returncode == 1
    assert done.stderr.startswith("salespro-staging: Could not connect")


def test_gradual_release_has_a_new_name_and_keeps_the_other_parameters(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a new name no version is published; sam takes one list of parameters only."""
    monkeypatch.setenv("GITHUB_SHA", "0123456789abcdef")
    (checkout / "deploy" / "samconfig.toml").write_text(
        '[prod.deploy.parameters]\nstack_name = "salespro"\nparameter_overrides = '
        '["SubnetIds=a,b", "ReleaseType=Canary10Percent5Minutes"]\n'
    )

    release(checkout, "prod")

    *_, option, subnets, kind, name = (checkout / "arguments").read_text().splitlines()
    assert (option, subnets) == ("--parameter-overrides", "SubnetIds=a,b")
    assert kind == "ReleaseType=Canary10Percent5Minutes"
    assert re.fullmatch(r"Release=\d{8}T\d{6}-0123456789ab", name)
    pattern = template()["Parameters"]["Release"]["AllowedPattern"]
    assert re.fullmatch(pattern, name.removeprefix("Release="))


def test_release_without_an_environment_deploys_nothing(checkout: Path) -> None:
    missing = release(checkout, "staging")
    (checkout / "deploy" / "samconfig.toml.example").rename(
        checkout / "deploy" / "samconfig.toml"
    )
    unknown = release(checkout, "production")

    assert "There is no deploy/samconfig.toml" in missing.stderr
    assert "has no stack_name for production" in unknown.stderr
    assert 0 not in (missing.returncode, unknown.returncode)
    assert not (checkout / "arguments").exists()
