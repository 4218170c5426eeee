# triaged: `make` alone prints this help.
.DEFAULT_GOAL := help
.PHONY: help install run test check bench lock audit docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --require-virtualenv
# A lock is complete, so nothing is resolved again: a release that is newer than a pin changes nothing.
LOCKED := install --no-deps --require-hashes --requirement
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet $(UPGRADE) --strip-extras --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
UPGRADE ?= --upgrade

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

# A stamp each, so that `make run` installs no more than the product and its example need.
RUNTIME := $(VENV)/.runtime
EXAMPLE := $(VENV)/.example
DEV := $(VENV)/.dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "triaged needs Python 3.11 or later; $(PYTHON) is older. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing triaged into $(VENV) (once)"
	@$(PIP) $(LOCKED) requirements.lock
	@touch $@

$(EXAMPLE): requirements-example.lock $(RUNTIME)
	@$(PIP) $(LOCKED) requirements-example.lock
	@touch $@

$(DEV): requirements-dev.lock $(EXAMPLE)
	@echo "Installing what the tests need into $(VENV) (once)"
	@$(PIP) $(LOCKED) requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@touch $@

install: $(DEV) ## Set everything up in .venv (again is free)

run: $(EXAMPLE) ## Start triaged with the bundled example at http://127.0.0.1:8080
	@exec $(BIN)/python examples/run.py

test: $(DEV) ## Run all tests; installs the servers they need where it may
	@tests/servers
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

check: $(DEV) ## Lint, types and the quick tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -m "not slow" tests/unit tests/architecture $(ARGS)

bench: $(DEV) ## Measure speed and memory beside their limits and peers
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(DEV) ## Make the generated parts of the docs again
	@$(BIN)/python -m tests.generated

lock: $(DEV) ## Choose the newest versions of all dependencies and pin them
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@echo "pymap" | $(COMPILE) --constraint requirements.lock --output-file requirements-example.lock -
	@$(COMPILE) --extra dev --allow-unsafe --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@echo "hatchling" | $(COMPILE) --constraint requirements-dev.lock --output-file requirements-build.lock -
	@echo "pip-audit" | $(COMPILE) --allow-unsafe --output-file requirements-audit.lock -

# pip-audit stands in an environment of its own: its dependencies are none of the product's.
AUDIT := $(VENV)/audit
$(AUDIT)/.installed: requirements-audit.lock | $(BIN)/python
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check --quiet $(LOCKED) $<
	@touch $@

audit: $(AUDIT)/.installed ## Look the pinned versions up among those with known faults
	@for lock in requirements*.lock; do echo "$$lock"; \
	  $(AUDIT)/bin/pip-audit --progress-spinner off --strict --disable-pip --require-hashes --requirement $$lock || failed=1; \
	  done; exit $${failed:-0}

clean: ## Remove what was installed and the example's data
	rm -rf $(VENV) examples/data .pytest_cache .mypy_cache .ruff_cache .hypothesis
