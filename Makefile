# Every target does its own set-up in .venv: a fresh clone needs Python 3.11 or newer, gcc and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: reproduce test test-thorough lint bench clean
.DEFAULT_GOAL := reproduce

reproduce: $(VENV)/.ready
	$(BIN)/mamlbound reproduce

test: lint
	$(BIN)/python -m pytest

test-thorough: lint
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest tests/test_properties.py

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
	rm -rf $(VENV) out build *.egg-info
