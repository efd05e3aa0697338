# One target per thing a person does; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
FUZZ_EXAMPLES ?= 1000
EXAMPLES ?= 2000
SEED ?= 1
SINCE ?= HEAD
RUNNER := $(BIN)/python -m deploy.run --end-with-parent

RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
LOCK := pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --generate-hashes

.DEFAULT_GOAL := help
.PHONY: help setup dev run demo manage cassandra opensearch cassandra-backup cassandra-restore test check test-shuffled test-changed footprint unit contract integration e2e property fuzz chaos broker-away alerts attack production rolling bench bench-degraded capacity lint format lock audit openapi asyncapi schema graphiql clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(RUNTIME)  ## Install what `make run` needs into .venv

dev: $(DEVELOPMENT)  ## Install what tests and lint need, too

# One plain command, without a shell in between: make hands SIGTERM to its direct child.
run: $(RUNTIME)  ## Run everything: PORT=8000 DATA_DIR=data STORE=embedded|cassandra RATE_LIMITS=on|off
	@$(RUNNER)

demo: $(DEVELOPMENT)  ## Fill the run of DATA_DIR=data, started with RATE_LIMITS=off: PEOPLE=1000 TWEETS= SEED=1 GRAPH=edge-list URL=
	@$(BIN)/python -m deploy.demo

manage: $(RUNTIME)  ## Run a manage.py command beside `make run`: DO="audit_timelines --sample 100"
	@$(BIN)/python -m deploy.manage $(DO)

cassandra: $(RUNTIME)  ## Run a Cassandra node in the foreground (Java 17 and Maven)
	@$(BIN)/python -m deploy.cassandra --end-with-parent

opensearch: $(RUNTIME)  ## Run an OpenSearch node in the foreground (Java 17 and Maven)
	@$(BIN)/python -m deploy.opensearch --end-with-parent

cassandra-backup: $(RUNTIME)  ## Copy the running node of `JMX_PORT=7199 make cassandra` into DIR=
	@$(BIN)/python -m deploy.cassandra.backups take "$(DIR)"

cassandra-restore: $(RUNTIME)  ## Put the copy in DIR= back into the node of `make cassandra`, which has been ended
	@$(BIN)/python -m deploy.cassandra.backups put-back "$(DIR)"

test: $(DEVELOPMENT)  ## Run every test, in four runs side by side; those with Cassandra or OpenSearch need Java 17 and Maven
	@$(BIN)/python -m deploy.cassandra --check
	@$(BIN)/python -m deploy.opensearch --check
	@$(BIN)/python -m tests.side_by_side -- $(PYTEST_ARGS)

check: $(DEVELOPMENT)  ## Run lint and every test, side by side
	@$(BIN)/python -m deploy.cassandra --check
	@$(BIN)/python -m deploy.opensearch --check
	@$(BIN)/python -m tests.side_by_side lint -- $(PYTEST_ARGS)

test-shuffled: $(DEVELOPMENT)  ## Run every test in an order drawn from SEED=1 (a file's tests stay together)
	@$(BIN)/python -m deploy.cassandra --check
	@$(BIN)/python -m deploy.opensearch --check
	@env -u SEED ONCE=1 $(BIN)/python -m tests.side_by_side -- --shuffled $(SEED) $(PYTEST_ARGS)

test-changed: $(DEVELOPMENT)  ## Run, in under two minutes, what concerns the changes since SINCE=HEAD: embedded store, no e2e
	@$(BIN)/python -m tests.changed $(SINCE) -- $(PYTEST_ARGS)

footprint: $(DEVELOPMENT)  ## Print which files and functions a POST, a GET, a follow and a retweet go through
	$(BIN)/python -m pytest -s -q tests/integration/config/test_footprint.py --log-level ERROR $(PYTEST_ARGS)

unit: $(DEVELOPMENT)  ## Run the tests that need no server
	$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

contract: $(DEVELOPMENT)  ## Run the suite that every store passes
	@$(BIN)/python -m deploy.cassandra --check
	@$(BIN)/python -m deploy.opensearch --check
	$(BIN)/python -m pytest tests/contract $(PYTEST_ARGS)

integration: $(DEVELOPMENT)  ## Run the tests with a real Redis, Cassandra and OpenSearch
	@$(BIN)/python -m deploy.cassandra --check
	@$(BIN)/python -m deploy.opensearch --check
	$(BIN)/python -m pytest tests/contract tests/integration $(PYTEST_ARGS)

e2e: $(DEVELOPMENT)  ## Run the tests that start the whole product
	@$(BIN)/python -m deploy.cassandra --check
	$(BIN)/python -m pytest tests/e2e $(PYTEST_ARGS)

fuzz: $(DEVELOPMENT)  ## Send every operation of the OpenAPI document FUZZ_EXAMPLES=1000 generated requests
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/integration/config/test_schemathesis.py --timeout 0 $(PYTEST_ARGS)

property: $(DEVELOPMENT)  ## Carry out random interleavings against an oracle: EXAMPLES=2000 SEED=1 (PYTEST_ARGS="-k embedded")
	EXAMPLES=$(EXAMPLES) SEED=$(SEED) $(BIN)/python -m pytest -s tests/property/test_timelines.py tests/property/test_listening.py tests/property/test_protecting.py tests/property/test_notifying.py -k "not planted" $(PYTEST_ARGS)

bench: $(DEVELOPMENT)  ## Measure speed beside references, in 35 minutes: NAMES="home post" STORE=cassandra OUT=data/bench
	@$(BIN)/python -m bench $(NAMES) $(if $(STORE),--store $(STORE)) $(if $(OUT),--out $(OUT))

bench-%: $(DEVELOPMENT)
	@$(BIN)/python -m bench $* $(if $(STORE),--store $(STORE)) $(if $(OUT),--out $(OUT))

bench-degraded: $(DEVELOPMENT)  ## Measure what requests cost while each backend is dead, and hung (5 minutes)
	@$(BIN)/python -m bench.degraded

capacity: $(DEVELOPMENT)  ## Plan the design point from measured costs: machines, memory, queues, what breaks first (OUT=data/bench)
	@$(BIN)/python -m bench.capacity $(if $(OUT),--out $(OUT))

chaos: $(DEVELOPMENT)  ## Break a running stack in every way and prove it right: SECONDS=60 SEED=1 STORE=embedded NODES=1 REPLAY=log
	@$(BIN)/python -m tests.chaos

broker-away: $(DEVELOPMENT)  ## Kill the broker, post meanwhile, and time what waits after its return: POSTS=2000 AWAY=60 STORE=embedded
	@POSTS=$(or $(POSTS),2000) AWAY=$(or $(AWAY),60) STORE=$(STORE) $(BIN)/python -m tests.e2e.broker_away

alerts: $(DEVELOPMENT)  ## Break a running product under a real Prometheus, and see its alerts fire and end: STORE=embedded
	@STORE=$(STORE) $(BIN)/python -m tests.alerts

attack: $(DEVELOPMENT)  ## Attack a running product, beside ordinary readers: NAMES="slow-bodies" SECONDS=5 SERVERS=run STORE=embedded
	@$(BIN)/python -m tests.attack

production: $(DEVELOPMENT)  ## Run docker-compose.yml's processes behind the shipped nginx, and README's walkthrough (nginx, PostgreSQL)
	@$(BIN)/python -m deploy.cassandra --check
	@$(BIN)/python -m tests.production.walk

rolling: $(DEVELOPMENT)  ## Replace each of these processes under load, and prove that nothing is missing: STORE=cassandra
	@$(BIN)/python -m tests.production.rolling

lint: $(DEVELOPMENT)  ## Check style, types, import directions and missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	@directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && \
		DATA_DIR="$$directory" $(BIN)/python manage.py makemigrations --check --dry-run

format: $(DEVELOPMENT)  ## Format the code and mend what can be mended; says what is left
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

lock:  ## Resolve requirements/*.in anew into the locked lists, with the hashes of what may be installed
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv"; exit 1; }
	uv $(LOCK) requirements/runtime.in -o requirements.txt
	uv $(LOCK) requirements/development.in -o requirements/development.txt

audit: $(DEVELOPMENT)  ## Look the locked versions up among advisories: of OSV's service, or ADVISORIES=all.zip
	@$(BIN)/python -m deploy.audit $(if $(ADVISORIES),--advisories $(ADVISORIES))

openapi: $(RUNTIME)  ## Write docs/openapi.json anew
	$(BIN)/python manage.py spectacular --format openapi-json --file docs/openapi.json --validate --fail-on-warn

asyncapi: $(RUNTIME)  ## Write docs/asyncapi.json anew
	$(BIN)/python manage.py asyncapi --file docs/asyncapi.json

schema: $(RUNTIME)  ## Write schema.graphql anew
	$(BIN)/python manage.py graphql_schema --schema config.graphql.schema.schema --out schema.graphql

graphiql: $(RUNTIME)  ## Fetch the files of the page at /graphql anew (npm), and check their hashes
	@$(BIN)/python -m deploy.graphiql

clean:  ## Remove everything that was installed or built, but not DATA_DIR
	rm -rf $(VENV) .cassandra .opensearch .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip is the last thing that venv makes, so an interrupted one is made again.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) found: install Python 3.11 or newer, or set PYTHON=."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; set PYTHON=."; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "$(PYTHON) cannot make a venv: install its venv package."; exit 1; }

# Each stamp is written last, so an interrupted installation is done again.
$(RUNTIME): requirements.txt | $(BIN)/pip
	@echo "Installing requirements into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

# One call, of lists that are whole: nothing is left to resolve. What is imported is compiled then.
$(DEVELOPMENT): requirements.txt requirements/development.txt | $(BIN)/pip
	@echo "Installing requirements and development requirements into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile \
		-r requirements.txt -r requirements/development.txt
	@touch $(RUNTIME) $@
