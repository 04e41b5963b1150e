# Every target does its own set-up in .venv: a fresh clone needs Python 3.11 or newer, gcc and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: reproduce test test-foreign lint bench clean
.DEFAULT_GOAL := reproduce

reproduce: $(VENV)/.ready
	$(BIN)/mamlbound reproduce

test: lint
	$(BIN)/python -m pytest

# Other people's meta-gradients, in an environment of its own: torch for the CPU (where that index cannot be reached,
# $(TORCH), which may bring gigabytes of CUDA), TorchOpt, JAX.
FOREIGN := .foreign-venv
FOREIGN_PIP := $(FOREIGN)/bin/python -m pip install --quiet --disable-pip-version-check
TORCH ?= torch

test-foreign: $(FOREIGN)/.ready
	$(FOREIGN)/bin/python -m pytest -s -W ignore tests/foreign/check_foreign.py

$(FOREIGN)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(FOREIGN)
	$(FOREIGN_PIP) --retries 0 --index-url https://download.pytorch.org/whl/cpu torch || $(FOREIGN_PIP) $(TORCH)
	$(FOREIGN_PIP) --editable ".[dev,foreign]"
	touch $@

lint: $(VENV)/.ready
	$(BIN)/ruff check .

bench: $(VENV)/.ready
	$(BIN)/python benchmarks/engine.py

$(VENV): $(VENV)/.ready

$(VENV)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(FOREIGN) out build *.egg-info
