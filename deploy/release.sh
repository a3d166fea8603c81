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
stack=$(.venv-sam/bin/python - "$config" "$environment" <<'PYTHON'
import sys
import tomllib

path, environment = sys.argv[1:]
with open(path, "rb") as file:
    environments = tomllib.load(file)
try:
    print(environments[environment]["deploy"]["parameters"]["stack_name"])
except KeyError:
    sys.exit(f"deploy/samconfig.toml has no stack_name for {environment}.")
PYTHON
)
export SAM_CLI_TELEMETRY=0
.venv-sam/bin/sam deploy --template-file .aws-sam/build/template.yaml \
  --config-file "$config" --config-env "$environment" --no-confirm-changeset
.venv-sam/bin/python deploy/try_stack.py "$stack" "$@"
