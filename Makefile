# triaged: `make` alone prints this help.
.DEFAULT_GOAL := help
.PHONY: help install run test check bench lock docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --require-virtualenv

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
	@$(PIP) install --require-hashes --requirement requirements.lock
	@touch $@

$(EXAMPLE): requirements-example.lock $(RUNTIME)
	@$(PIP) install --require-hashes --requirement requirements-example.lock
	@touch $@

$(DEV): requirements-dev.lock $(EXAMPLE)
	@echo "Installing what the tests need into $(VENV) (once)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
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
	@cd $(CURDIR) && CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml
	@cd $(CURDIR) && echo "pymap" | CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --constraint requirements.lock --output-file requirements-example.lock -
	@cd $(CURDIR) && CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras --extra dev \
	  --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@cd $(CURDIR) && echo "hatchling" | CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --constraint requirements-dev.lock --output-file requirements-build.lock -

clean: ## Remove what was installed and the example's data
	rm -rf $(VENV) examples/data .pytest_cache .mypy_cache .ruff_cache .hypothesis
