# Every target installs what it needs by itself; a second run installs nothing.
#
#   make demo      a model and a report for BBC news from 8 labels a class
#   make test      formatting, lint, types, then the whole test suite
#   make help      the rest
#
# Variables:
#   PYTHON=python3.12    the interpreter that .venv is made from (3.11 to 3.13)
#   PIP_FLAGS=...        options for every pip install. On Linux, pip's default build of torch
#                        brings several GB of CUDA libraries; to take the CPU build, name the
#                        index that carries it: PIP_FLAGS="--extra-index-url <index>"
#   WORKERS=4            processes of the test suite

PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
WORKERS ?= 2
PYTEST_FLAGS ?= -n $(WORKERS) --dist loadfile

BIN := $(VENV)/bin
PY := $(BIN)/python
# Modules are compiled when they are first imported: all of them at once takes longer than the rest.
PIP := $(PY) -m pip install --quiet --no-compile --disable-pip-version-check \
       --constraint constraints.txt $(PIP_FLAGS)
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench
TENSORFLOW := .venv-tensorflow/.installed

# One thread a worker, WORKERS workers: together they fill the machine instead of fighting for it.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-tensorflow check format bench lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "supertune needs Python 3.11 to 3.13, and $(PYTHON) is another or is missing;" \
	    "name one with: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(DEV): pyproject.toml constraints.txt | $(PY)
	$(PIP) --editable '.[dev]'
	@touch $@

$(BENCH): $(DEV)
	$(PIP) --editable '.[dev,bench]'
	@touch $@

install: $(DEV) ## .venv with supertune and everything to develop it

demo: $(DEV) ## a model and a report for BBC news from 8 labels a class
	$(BIN)/supertune demo

check: $(DEV) ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers $(WORKERS)

test: check ## check, then every test
	$(TEST_ENV) $(BIN)/pytest $(PYTEST_FLAGS)

test-tensorflow: $(TENSORFLOW) ## the tests of Keras models, in .venv-tensorflow: `make test` skips them
	$(TEST_ENV) .venv-tensorflow/bin/python -m pytest $(PYTEST_FLAGS) tests/backbones/keras \
	  tests/contract/test_engines.py

$(TENSORFLOW): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-tensorflow
	.venv-tensorflow/bin/python -m pip install --quiet --no-compile \
	  --disable-pip-version-check \
	  --constraint constraints.txt $(PIP_FLAGS) --editable '.[dev,tensorflow]'
	@touch $@

format: $(DEV) ## format and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(BENCH) ## speed and memory beside peers, in one run; writes benchmarks/results/*.json
	$(PY) -m benchmarks

study-%: $(BENCH) ## a long, resumable study, e.g. make study-methods
	$(PY) -m benchmarks.study_$(subst -,_,$*)

lock: $(BENCH) ## write constraints.txt from what .venv holds
	{ grep '^#' constraints.txt; \
	  $(PY) -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//' | sort -f; \
	} > constraints.tmp
	mv constraints.tmp constraints.txt

clean: ## remove .venv and everything the tools wrote; the model cache stays
	rm -rf $(VENV) .venv-tensorflow .mypy_cache .pytest_cache .ruff_cache build dist demo-model
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
