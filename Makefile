# Every target sets up what it needs; `make demo` and `make test` work in a fresh clone
# with nothing but python3 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BENCH  := PYTHONPATH=.:src .venv-bench/bin/python -m

# The runtime's version, for the build and for what runs it: pyenv has it more often than PATH.
PYTHON_3_13 ?= $(shell for it in python3.13 $(HOME)/.pyenv/versions/3.13*/bin/python; do \
	$$it -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null \
	&& command -v $$it && break; done)
NO_RUNTIME = "NOT RUN: $@ needs Python 3.13 with venv, the runtime's version, on PATH, from pyenv or by name: make $@ PYTHON_3_13=/path/to/python3.13"

.PHONY: help demo test faults crashes simulation soak browser pictures tls runtime check format \
	bench bench-scale bench-memory bench-cold bench-cost package-size lock sandbox validate secure \
	certificates build invoke licences bandit audit sbom clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
  || { echo "This Python has no venv; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
endef

$(VENV)/ready: requirements-dev.txt
	$(CHECK_PYTHON)
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready  ## import the sample export into an embedded Postgres and show what became of it
	@$(BIN)/salespro migrate
	@$(BIN)/salespro import --dry-run events/SalesPro2025-06-18.csv
	@$(BIN)/salespro import events/SalesPro2025-06-18.csv

QUICK := $(foreach it,faults crashes simulation browser tls,not $(it) and) not runtime
test: $(VENV)/ready  ## run the tests (TEST_DATABASE_URL, or an embedded Postgres)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "$(QUICK)" $(ARGS)
	@echo "Those of the browser, TLS, the runtime, faults, crashes and simulation are targets of their own: make help"

# The long parts; each writes its section of docs/reliability.md when all of it has passed.
HARD := -m pytest -n 2 --dist worksteal --write-reliability
faults: $(VENV)/ready  ## break all that may break around the function
	@$(BIN)/python $(HARD) -m faults $(ARGS)

crashes: $(VENV)/ready  ## kill, freeze and race the importer
	@$(BIN)/python $(HARD) -m crashes $(ARGS)

simulation: $(VENV)/ready  ## a thousand seeded schedules (one of them: SIMULATION_SEED=1234 make simulation)
	@$(BIN)/python $(HARD) -m simulation $(ARGS)

browser: $(VENV)/ready  ## look at the reports in Chromium (Debian: apt-get install chromium)
	@$(BIN)/python -m pytest -n 2 -m browser tests/browser $(ARGS)

pictures: $(VENV)/ready  ## take the pictures of the README anew
	@$(BIN)/python -m pytest -n 0 -m browser tests/browser -k pictures --write-pictures

MINUTES ?= 30
soak: $(VENV)/ready  ## the same from a new seed, for so long (make soak MINUTES=30)
	@SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -n 0 -m simulation -k test_soak $(ARGS)

# The embedded Postgres has no TLS; Debian's has.
tls: $(VENV)/ready  ## certificates, right and wrong, shown by Debian's Postgres (installed if there is none)
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null \
	  || { [ "$$(id -u)" -eq 0 ] || sudo=sudo; $$sudo apt-get install -q -y --no-install-recommends postgresql; }
	@$(BIN)/python -m pytest -n 0 -m tls $(ARGS)

check: $(VENV)/ready  ## formatting, lint and types
	@$(BIN)/ruff format --check src tests benchmarks tools
	@$(BIN)/ruff check src tests benchmarks tools
	@$(BIN)/mypy

format: $(VENV)/ready  ## format, and mend what the linter can mend
	@$(BIN)/ruff format src tests benchmarks tools
	@$(BIN)/ruff check --fix src tests benchmarks tools

# The benchmarks' peers live by themselves.  Each target writes its section of
# docs/performance.md; a part, such as `make bench ROWS=20000 ONLY=floor,local ROUNDS=3`,
# is only shown.
.venv-bench/ready: benchmarks/requirements.txt
	$(CHECK_PYTHON)
	@echo "Setting up .venv-bench (once, a few minutes) ..."
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/ready  ## this importer, the floor, the earlier system and its peers (half an hour)
	@$(BENCH) benchmarks.speed

bench-scale: .venv-bench/ready  ## with millions of rows stored, and in the file
	@$(BENCH) benchmarks.scale

bench-memory: .venv-bench/ready  ## the peak of a process, by the rows of the file
	@$(BENCH) benchmarks.memory

bench-cold: .venv-bench/ready  ## what the function's imports cost
	@$(BENCH) benchmarks.cold

bench-cost: .venv-bench/ready  ## rows per second and dollars, by the size of the function
	@$(BENCH) benchmarks.cost

package-size: $(VENV)/ready build  ## the size of what Lambda gets; fails from 25 MB on
	@PYTHONPATH=. $(BIN)/python -m benchmarks.package_size

sandbox: $(VENV)/ready  ## S3, SQS, Postgres and the function on localhost
	@$(BIN)/salespro sandbox

# The SAM CLI pins an older boto3, so it lives by itself.
.venv-sam/ready:
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check 'aws-sam-cli==1.170.0'
	@touch $@

validate: .venv-sam/ready  ## check template.yaml as SAM and cfn-lint see it
	@SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint --region eu-central-1

# So does checkov.  It reads SAM as it stands, without its transform.
.venv-checkov/ready:
	@$(PYTHON) -m venv .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check 'checkov==3.3.30'
	@touch $@

TEMPLATES := template.yaml .aws-sam/translated.json
secure: .venv-sam/ready .venv-checkov/ready  ## checkov and cfn-lint on template.yaml, also as SAM translates it
	@.venv-sam/bin/python tools/translate.py $(TEMPLATES)
	@.venv-sam/bin/cfn-lint --regions eu-central-1 -- $(TEMPLATES)
	@.venv-checkov/bin/checkov --framework cloudformation --skip-download --compact --quiet -f $(TEMPLATES)

# As Amazon publishes it: RDS User Guide, "Using SSL/TLS to encrypt a connection".
certificates:  ## put the certificates of RDS beside the code, for the build (DbSslRootCert)
	@curl --fail --silent --show-error --location -o src/global-bundle.pem \
	  https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
	@echo "src/global-bundle.pem: $$(grep -c 'BEGIN CERTIFICATE' src/global-bundle.pem) certificates"

# A Python of the runtime's version beside which nothing is installed but Lambda's client.
.venv-runtime/ready:
	@test -n "$(PYTHON_3_13)" || { echo $(NO_RUNTIME); exit 1; }
	@$(PYTHON_3_13) -m venv .venv-runtime
	@.venv-runtime/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'awslambdaric==4.2.2'
	@touch $@

build: .venv-sam/ready .venv-runtime/ready  ## what is deployed, in .aws-sam/build (sam build, without Docker)
	@PYTHON_3_13=$(CURDIR)/.venv-runtime/bin/python SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam build

EVENT ?= events/s3-put.json
invoke: $(VENV)/ready build  ## run what is built in Lambda's emulator: make invoke EVENT=events/s3-put.json
	@PYTHONPATH=.:src $(BIN)/python -m tools.invoke $(EVENT)

# Without that Python it says so and passes, unless RUNTIME=required.
runtime: $(VENV)/ready  ## test what is built in Lambda's emulator, every file of events/
ifeq ($(PYTHON_3_13),)
	@echo $(NO_RUNTIME); test "$(RUNTIME)" != required
else
	@$(MAKE) --no-print-directory build
	@$(BIN)/python -m pytest -n 0 -m runtime tests/runtime $(ARGS)
endif

licences: $(VENV)/ready  ## list the licences of what ships, in docs/licences.md
	@PYTHONPATH=. $(BIN)/python -m tools.licences

# Tools that only look; they live by themselves.
.venv-audit/ready:
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check \
	  'bandit==1.9.4' 'cyclonedx-bom==7.5.0' 'pip-audit==2.10.1'
	@touch $@

bandit: .venv-audit/ready  ## look for what is dangerous in the source
	@.venv-audit/bin/bandit -q -c pyproject.toml -r src tools

audit: .venv-audit/ready  ## ask PyPI whether anything that ships is known to be vulnerable
	@.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes -r src/requirements.txt

# An interpreter without anything, to which the built folder is shown: what is found is what ships.
sbom: $(VENV)/ready .venv-audit/ready build  ## list what ships in CycloneDX, in .aws-sam/sbom.json
	@.venv-runtime/bin/python -m venv --without-pip --clear .venv-audit/nothing
	@echo "$(CURDIR)/.aws-sam/build/Importer" > .venv-audit/nothing/lib/python3.13/site-packages/build.pth
	@.venv-audit/bin/cyclonedx-py environment .venv-audit/nothing --pyproject pyproject.toml \
	  --output-reproducible -o .aws-sam/sbom.json
	@PYTHONPATH=. $(BIN)/python -m tools.sbom .aws-sam/sbom.json

# Versions and hashes only: no file of the repository records where a package came from.
LOCK := .venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) pyproject.toml
lock:  ## compile the requirement files from pyproject.toml (make lock UPGRADE=--upgrade)
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet 'uv==0.13.9'; }
	@$(LOCK) --python-version 3.13 -o src/requirements.txt
	@$(LOCK) --python-version 3.11 --extra cli --extra dev -c src/requirements.txt -o requirements-dev.txt
	@$(LOCK) --python-version 3.11 --extra cli --extra bench -c src/requirements.txt -o benchmarks/requirements.txt

clean:  ## remove what the targets made, the embedded database included
	rm -rf .venv .venv-bench .venv-sam .venv-checkov .venv-lock .venv-runtime .venv-audit .salespro .aws-sam \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis
