#!/usr/bin/env bash
# Deploy the build to an environment of deploy/samconfig.toml, and try it with a dry run.
# Usage: deploy/release.sh staging [options of try_stack.py, such as --migrate]
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${1:?"usage: deploy/release.sh ENVIRONMENT"}
shift
config=$PWD/deploy/samconfig.toml
[ -f "$config" ] || { echo "There is no deploy/samconfig.toml: copy deploy/samconfig.toml.example." >&2; exit 1; }

make .venv-sam/ready
# The name of the stack, and the parameters if releases are gradual.
settings=$(.venv-sam/bin/python - "$config" "$environment" <<'PYTHON'
import sys
import tomllib

path, environment = sys.argv[1:]
with open(path, "rb") as file:
    environments = tomllib.load(file)
try:
    parameters = environments[environment]["deploy"]["parameters"]
    print(parameters["stack_name"])
except KeyError:
    sys.exit(f"deploy/samconfig.toml has no stack_name for {environment}.")
overrides = parameters.get("parameter_overrides", [])
if any(o.startswith("ReleaseType=") and o != "ReleaseType=Direct" for o in overrides):
    print(*overrides, sep="\n")
PYTHON
)
mapfile -t lines <<< "$settings"
stack=${lines[0]}
options=()
# Each deployment of a gradual release publishes a version, by a new name.
if [ ${#lines[@]} -gt 1 ]; then
  commit=${GITHUB_SHA:-local}
  options=(--parameter-overrides "${lines[@]:1}" "Release=$(date -u +%Y%m%dT%H%M%S)-${commit:0:12}")
fi
export SAM_CLI_TELEMETRY=0
.venv-sam/bin/sam deploy --template-file .aws-sam/build/template.yaml \
  --config-file "$config" --config-env "$environment" --no-confirm-changeset "${options[@]}"
.venv-sam/bin/python deploy/try_stack.py "$stack" "$@"
