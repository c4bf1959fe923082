# Needs Python 3.11 or newer and make; everything else is set up by the target that wants it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages-installed
PROJECT := $(VENV)/.project-installed
MODELS := $(or $(MUTIRAO_MODELS_DIR),$(or $(MUTIRAO_HOME),.mutirao)/models)
MODEL := $(MODELS)/SmolLM2-135M-Instruct.Q4_1.gguf
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
	--no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint chaos bench fuzz js schema lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Another model than the built-in one needs no model file.
ifneq ($(filter-out builtin,$(MUTIRAO_MODEL)),)
setup: $(PROJECT) ## Make .venv with the locked packages, and fetch the built-in model's file
else
setup: $(PROJECT) $(MODEL)
endif

demo: setup ## Start the stack, write a report from the sample documents, stop the stack
	@$(BIN)/mutirao demo

up: setup ## Start the stack in this terminal; Ctrl-C stops it
	@$(BIN)/mutirao up

test: lint ## All checks and all tests, on real servers
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# For example: make chaos CHAOS='--jobs 2000 --only worker'
chaos: setup ## Kill workers and servers while 10,000 jobs run; a quarter of an hour
	$(BIN)/python -m tests.chaos $(CHAOS)

bench: setup ## Measure jobs per second and latency against the floor
	$(BIN)/python -m tests.bench

# A program of its own, so that its packages are nobody else's.
FUZZ := $(VENV)/fuzz/bin/schemathesis
fuzz: setup $(FUZZ) ## Generated requests with two keys against every route; ten minutes
	$(BIN)/python -m tests.fuzz --schemathesis $(abspath $(FUZZ)) $(FUZZING)

$(FUZZ): $(BIN)/uv
	@$(BIN)/uv venv --quiet --python $(BIN)/python $(VENV)/fuzz
	@$(BIN)/uv pip install --quiet --python $(VENV)/fuzz/bin/python 'schemathesis>=4.32,<5'

js: setup ## The JavaScript SDK of LangGraph against the API; needs Node 20
	$(BIN)/python -m tests.js

schema: setup ## Write deploy/openapi.json; refuses what would break a client
	$(BIN)/python -m mutirao.api.schema deploy/openapi.json $(SCHEMA)

lock: $(BIN)/uv ## Choose the newest allowed versions again and write requirements/*.lock
	$(COMPILE) --upgrade --all-extras --group dev pyproject.toml -o requirements/dev.lock
	$(COMPILE) --all-extras -c requirements/dev.lock pyproject.toml -o requirements/runtime.lock

clean: ## Remove .venv, caches and builds; the data folder .mutirao stays
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not that; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "1/4 making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# uv installs the packages many times faster; where it has no wheel, pip does it.
$(PACKAGES): requirements/dev.lock requirements/bootstrap.lock | $(BIN)/python
	@echo "2/4 installing $$(grep -c '==' requirements/dev.lock) locked packages"
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r requirements/bootstrap.lock; \
	then $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.lock; \
	else echo "uv is not to be had; installing with pip, which takes longer"; \
		$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.lock; fi
	@touch $@

$(PROJECT): pyproject.toml $(PACKAGES)
	@echo "3/4 installing mutirao itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(MODEL): | $(PROJECT)
	@echo "4/4 fetching the built-in model's file"
	@$(BIN)/mutirao models pull

$(BIN)/uv: $(PACKAGES)
