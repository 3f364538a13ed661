# Everything a checkout needs: Python 3.11 or later, pip and make. `make` lists the targets.

PYTHON ?= python3
# Optional parts to install, and how many processes share the tests (0: none but pytest's own).
EXTRAS ?= dev,e2e
TEST_JOBS ?= 0
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCK_VENV := build/lock-venv
PYTEST = $(BIN)/python -m pytest -n $(TEST_JOBS)

NEEDS_PYTHON = needs Python 3.11 or later with the venv module: set PYTHON=/path/to/python3
CHECK_PYTHON = $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null || { echo "$(PYTHON): $(NEEDS_PYTHON)" >&2; exit 1; }
PIP_INSTALL = -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup model run test test-all test-nightly lint notebooks figures house lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install everything into .venv

$(INSTALLED): pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

model: $(INSTALLED) ## fetch the small language model smollm2 (98 MB), and install what runs it
	@$(BIN)/python -c 'import gguf, tokenizers, xllamacpp' 2>/dev/null || \
		$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[llama]'
	$(BIN)/rememberer-nb model get smollm2

run: $(INSTALLED) ## run notebooks 00 to 05 from start to end, offline
	$(BIN)/rememberer-nb run

test: $(INSTALLED) ## run the quick tests and the doctests
	$(PYTEST) -m "not slow and not e2e" $(PYTEST_ARGS)

test-all: $(INSTALLED) ## run the tests that `make test` leaves out: slow and e2e
	$(PYTEST) -m "slow or e2e" $(PYTEST_ARGS)

test-nightly: $(INSTALLED) ## run the quick tests on more examples, other ones each time
	$(PYTEST) --hypothesis-profile nightly --timeout 1800 -m "not slow and not e2e" $(PYTEST_ARGS)

lint: $(INSTALLED) ## check style, formatting, spelling and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

notebooks: $(INSTALLED) ## run every notebook and rewrite the committed outputs
	$(BIN)/python -m rememberer_nb.teaching.suite refresh

figures: $(INSTALLED) ## rewrite figures/
	$(BIN)/python -m rememberer_nb.teaching.suite figures

house: $(INSTALLED) ## draw the package's layers anew in CONTRIBUTING.md, and count its lines
	$(BIN)/python -m tests.house

lock: ## resolve the dependencies afresh and rewrite constraints.txt
	@$(CHECK_PYTHON)
	@$(PYTHON) -m venv --clear $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python $(PIP_INSTALL) --editable '.[dev,e2e,llama,embed,fast,bench]'
	@{ sed '/^[^#]/d' constraints.txt; \
		$(LOCK_VENV)/bin/python -m pip freeze --exclude-editable; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt
	@rm -rf $(LOCK_VENV)

clean: ## remove caches and builds; .venv and runs/ stay
	@rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) \
		-type d -prune -exec rm -rf {} +
