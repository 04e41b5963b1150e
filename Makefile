# Every target does its own set-up, in .venv or .bench-venv; a fresh clone needs Python 3.11 or newer, gcc and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: reproduce test lint bench clean
.DEFAULT_GOAL := reproduce

reproduce: $(VENV)/.ready
	$(BIN)/mamlbound reproduce

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/.ready
	$(BIN)/ruff check .

bench: .bench-venv/.ready
	.bench-venv/bin/python -m benchmarks

$(VENV): $(VENV)/.ready

$(VENV)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

# The peers of the benchmark are its own dependencies and not the project's.
.bench-venv/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .bench-venv
	.bench-venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	touch $@

clean:
	rm -rf $(VENV) .bench-venv out build *.egg-info
