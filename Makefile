# Every habit, one word each. `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The stamp changes when the lock or the package's own metadata does.
READY := $(VENV)/.ready
# A tier that passes whole is recorded with its tree: `start` before it, `passed` after it.
TIER := $(BIN)/python -m tests.tiers
NARROWED = $(ARGS) $(PYTEST_ADDOPTS)
# Tests on Kafka mostly wait: three processes keep two cores busy. Each has its own broker, which ends
# with it. ARGS="-n 0" runs everything in one process.
PARALLEL := -n 3 --dist worksteal
UNIT := -n 2 --dist worksteal --hypothesis-profile=unit \
  -m "not kafka and not browser and not crash and not containers"

# Tests start hundreds of processes: each would compile the package anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-crash test-containers tiers mutate check web-token fix bench screenshots lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: $(READY) ## make .venv from the lock file

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "gradewatch needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "making $(VENV) from requirements.lock ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## play simulated Canvas traffic through the whole flow (ARGS="--events 20000 --exit")
	@exec $(BIN)/gradewatch demo $(ARGS)

test: $(READY) ## all tests, a real Kafka included (ARGS="-k name")
	@$(TIER) start $@
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)
	@$(TIER) passed $@ $(NARROWED)

test-unit: $(READY) ## the tests that need no Kafka, Chromium or Docker
	@$(TIER) start $@
	@$(BIN)/python -m pytest $(UNIT) $(ARGS)
	@$(TIER) passed $@ $(NARROWED)

test-crash: $(READY) ## the long tier of fault tests: kill -9, zombies, cuts, 10,000 schedules
	@$(TIER) start $@
	@$(BIN)/python -m pytest -n 2 --hypothesis-profile=crash tests/engine/test_protocol.py tests/engine/test_partition_life.py
	@$(BIN)/python -m pytest $(PARALLEL) -m crash $(ARGS)
	@$(TIER) passed $@ $(NARROWED)

test-containers: $(READY) ## the image and docker-compose.yml on a Docker engine (ARGS="-k cluster")
	@exec $(BIN)/python -m tests.containers.ready $(ARGS)

web-token: deploy/web-token deploy/id-key ## make the token and the id key that docker-compose.yml hands to the workers

# For its owner and for the image's group, nobody else. On macOS Docker's own machine sees to that.
deploy/web-token deploy/id-key:
	@umask 027 && $(PYTHON) -c 'import secrets; print(secrets.token_hex(32))' > $@.part
	@test "$$(uname)" != Linux || chgrp 10001 $@.part 2>/dev/null || sudo chgrp 10001 $@.part
	@mv $@.part $@

tiers: $(READY) ## say which tiers last passed on this very tree, and which are stale
	@$(TIER)

mutate: $(READY) ## change the shipped rules, one thing at a time: their tests must notice
	@for tests in rules/*.test.yaml; do \
	  $(BIN)/gradewatch rules test $$tests && $(BIN)/gradewatch rules mutate $$tests || exit 1; done

check: $(READY) ## format, lint, types, import contracts and test-unit
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory test-unit

fix: $(READY) ## format and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY) ## measure beside Kafka Streams and Faust (WHAT=headline, latency, lists, livez, restore, rows, memory, stages, transactions)
	@exec $(BIN)/python -m benchmarks.$(or $(WHAT),flow) $(ARGS)

screenshots: $(READY) ## make the README's pictures anew, of the demo as it runs
	@exec $(BIN)/python -m tests.browser.screenshots

# The image's two files hold what requirements.lock holds of them, and no other versions.
LOCK := .venv-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --quiet
lock: ## renew the lock files from pyproject.toml
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@$(LOCK) pyproject.toml --extra testing --group dev -o requirements.lock
	@$(LOCK) pyproject.toml -c requirements.lock -o requirements.runtime.lock
	@$(LOCK) --group build -c requirements.lock -o requirements.build.lock
	@rm -rf .venv-lock

clean: ## remove .venv and caches (the embedded broker's data stays)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
