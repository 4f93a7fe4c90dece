# Everything stays inside the checkout, except Ape's accounts and caches in ~/.ape.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# numpy 1.26 has wheels for 3.11 and 3.12 only: take the first of them that really runs.
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
	&& command -v $$p && break; done)
JOBS ?= 2

ROOT := $(CURDIR)
VENV := $(ROOT)/.venv
MARKS := .make

# The environment of every recipe: our own tools first, nothing that calls out.
export VIRTUAL_ENV := $(VENV)
export PATH := $(VENV)/bin:$(ROOT)/node_modules/.bin:$(PATH)
export SOLCX_BINARY_PATH := $(VENV)/.solcx
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NPM_CONFIG_UPDATE_NOTIFIER := false
export FOUNDRY_DISABLE_NIGHTLY_WARNING := 1
export IPYTHONDIR := $(ROOT)/$(MARKS)/ipython
export MPLCONFIGDIR := $(ROOT)/$(MARKS)/matplotlib
unexport PYTHONPATH
unexport PYTHONHOME

SOURCES := $(shell find contracts -name '*.sol' -not -path '*/.cache/*' 2>/dev/null)
PYTHON_SOURCES := $(wildcard ballast scripts tests tools bots)
FORGE_SOURCES := $(wildcard contracts tests/forge)

.PHONY: help
help: ## show this list
	@echo "Ballast. Targets:"
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo "Settings: PYTHON=python3.12  JOBS=2  ARGS='-k name'  BALLAST_SOLC=auto|native|npm"

# ---- Set-up -----------------------------------------------------------------------------------

.PHONY: setup
setup: $(MARKS)/python $(MARKS)/node $(MARKS)/solc ## install all tools into this checkout

$(MARKS)/venv:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or 3.12 was found: install one, or name it with PYTHON=…" >&2; exit 1; fi
	@mkdir -p $(MARKS)
	@echo "==> virtual environment ($(PYTHON))"
	@env -u VIRTUAL_ENV "$(PYTHON)" -m venv --clear $(VENV) || { \
		echo "The module venv is missing: on Debian, apt-get install python3-venv." >&2; exit 1; }
	@touch $@

$(MARKS)/python: requirements.lock pyproject.toml $(MARKS)/venv
	@echo "==> Python packages of requirements.lock"
	@python -m pip install -qq --require-hashes -r requirements.lock
	@python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(MARKS)/node: package.json package-lock.json .npmrc tools/link_foundry.mjs $(MARKS)/venv
	@command -v npm >/dev/null || { \
		echo "npm is missing: install Node.js 20 or newer." >&2; exit 1; }
	@echo "==> Solidity libraries, anvil and forge of package-lock.json"
	@npm ci --silent --ignore-scripts --no-audit --no-fund || { \
		echo "npm ci failed: run it without --silent to see why." >&2; exit 1; }
	@node tools/link_foundry.mjs $(VENV)/bin
	@touch $@

$(MARKS)/solc: tools/install_solc.py tools/solc-npm $(MARKS)/python $(MARKS)/node $(MARKS)/solc-version
	@echo "==> Solidity compiler"
	@python tools/install_solc.py
	@touch $@

# Keeps the line of the compiler version only, so that other settings do not install it again.
.PHONY: FORCE
FORCE:
$(MARKS)/solc-version: FORCE
	@mkdir -p $(MARKS)
	@line="$$(sed -n '/^solidity:/,/^[a-z]/s/^ *version: *//p' ape-config.yaml) $${BALLAST_SOLC:-auto}"; \
		if [ "$$line" != "$$(cat $@ 2>/dev/null)" ]; then echo "$$line" > $@; fi

# ---- Everyday work ----------------------------------------------------------------------------

.PHONY: compile
compile: $(MARKS)/compiled ## compile the contracts, if anything changed

# Always everything: Ape compiles neither what imports a changed file anew, nor anything after a change
# of settings. It compiles a copy, without node_modules, of a project that is not in the directory for
# temporary files: TMPDIR says it is.
$(MARKS)/compiled: $(SOURCES) ape-config.yaml $(MARKS)/solc $(MARKS)/node
	@echo "==> compile"
	@TMPDIR=$(ROOT) ape compile -f
	@touch $@

.PHONY: demo
demo: compile ## run the guided demonstration on a local chain
	@ape run demo $(ARGS)

.PHONY: test
test: compile ## run the tests, without the long campaigns
	@ape test tests -n $(JOBS) --dist loadgroup -m "not fuzz and not bench" $(ARGS)

.PHONY: fuzz
fuzz: compile ## run the long stateful and property campaigns
	@BALLAST_HYPOTHESIS=random ape test tests -n $(JOBS) --dist loadgroup -m fuzz $(ARGS)

.PHONY: bench
bench: compile ## measure gas and speed
	@ape run bench $(ARGS)

.PHONY: lint
lint: setup ## check style and types of Python and Solidity
	@echo "==> ruff"
	@ruff check $(PYTHON_SOURCES)
	@ruff format --check $(PYTHON_SOURCES)
	@echo "==> mypy"
	@mypy
	@echo "==> forge fmt"
	@$(if $(FORGE_SOURCES),forge fmt --check $(FORGE_SOURCES),echo "no contracts")
	@echo "==> solhint"
	@$(if $(SOURCES),solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol',echo "no contracts")

.PHONY: format
format: setup ## format Python and Solidity
	@ruff check --fix --exit-zero $(PYTHON_SOURCES)
	@ruff format $(PYTHON_SOURCES)
	@$(if $(FORGE_SOURCES),forge fmt $(FORGE_SOURCES),:)

# For all platforms at once, which pip-compile cannot do.
.PHONY: lock
lock: $(MARKS)/venv ## pin requirements.in into requirements.lock
	@python -m venv $(MARKS)/lock
	@$(MARKS)/lock/bin/python -m pip install --quiet 'uv>=0.9'
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(MARKS)/lock/bin/uv pip compile --quiet --no-config \
		--universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --output-file requirements.lock requirements.in

.PHONY: clean
clean: ## remove everything that was built or installed here
	rm -rf .build .build-forge $(MARKS) .venv node_modules contracts/.cache .hypothesis \
		.pytest_cache .mypy_cache .ruff_cache crytic-export ballast.egg-info build dist
