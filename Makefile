# Needs Python 3.11 or newer and make; everything else is set up by the target that wants it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages-installed
PROJECT := $(VENV)/.project-installed
PAGE := $(VENV)/.page-built
PAGE_TOOL := $(BIN)/python platform/dashboard/build_hook.py
PAGE_SOURCES := $(shell find $(wildcard platform/dashboard/*.* platform/dashboard/public platform/dashboard/src) \
	-type f ! -name schema.d.ts) deploy/openapi.json
MODELS := $(or $(MUTIRAO_MODELS_DIR),$(or $(MUTIRAO_HOME),.mutirao)/models)
MODEL := $(MODELS)/SmolLM2-135M-Instruct.Q4_1.gguf
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
	--no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-browser lint dashboard dashboard-dev chaos bench fuzz js schema lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Another model than the built-in one needs no model file.
ifneq ($(filter-out builtin,$(MUTIRAO_MODEL)),)
setup: $(PROJECT) $(PAGE) ## Make .venv with the locked packages, build the page, and fetch the built-in model's file
else
setup: $(PROJECT) $(PAGE) $(MODEL)
endif

demo: setup ## Start the stack, write a report from the sample documents, stop the stack
	@$(BIN)/mutirao demo

up: setup ## Start the stack in this terminal; Ctrl-C stops it
	@$(BIN)/mutirao up

# In the order of `testpaths`, whole stacks first: one of them at the end would be waited for alone.
test: lint ## All checks and all tests, on real servers
	$(PAGE_TOOL) test
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder
	$(BROWSER_TESTS)

# By themselves, as Chromium would take the time of tests that measure it; two stacks, each with half of the files.
BROWSER_TESTS = $(BIN)/python -m pytest tests/browser --numprocesses 2 --dist loadfile
test-browser: setup ## The page of the installed wheel, in Chromium
	$(BROWSER_TESTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PAGE_TOOL) check

dashboard: $(PROJECT) ## Build the page of the dashboard
	@$(PAGE_TOOL)

dashboard-dev: setup ## The page with hot reload, on the stack of `mutirao up`
	@$(BIN)/python platform/dashboard/develop.py

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
	rm -rf platform/dashboard/dist platform/dashboard/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not that; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "1/5 making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# uv installs the packages many times faster; where it has no wheel, pip does it.
$(PACKAGES): requirements/dev.lock requirements/bootstrap.lock | $(BIN)/python
	@echo "2/5 installing $$(grep -c '==' requirements/dev.lock) locked packages"
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r requirements/bootstrap.lock; \
	then $(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.lock; \
	else echo "uv is not to be had; installing with pip, which takes longer"; \
		$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.lock; fi
	@touch $@

$(PROJECT): pyproject.toml $(PACKAGES)
	@echo "3/5 installing mutirao itself, editable"
	@HATCH_BUILD_NO_HOOKS=true $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@touch $@

# Everything but the page works without it, so a machine that does not reach npm's registry is set up all the same.
$(PAGE): $(PAGE_SOURCES) | $(PROJECT)
	@echo "4/5 building the page"
	@$(PAGE_TOOL) || echo "WARNING: there is no page; \`make dashboard\` tries again" >&2
	@touch $@

$(MODEL): | $(PROJECT)
	@echo "5/5 fetching the built-in model's file"
	@$(BIN)/mutirao models pull

$(BIN)/uv: $(PACKAGES)
