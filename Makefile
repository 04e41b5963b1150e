# Every target does its own set-up in an environment of its own; a fresh clone needs Python 3.11, gcc and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: reproduce gallery test test-thorough test-foreign test-oracle test-browser test-faults test-cluster lint docs bench clean
.DEFAULT_GOAL := reproduce

reproduce: $(VENV)/.ready
	$(BIN)/mamlbound reproduce

# The reference pictures of figures/gallery/, from the run that `reproduce` has left in out/.
gallery: $(VENV)/.ready
	$(BIN)/python -m figures.report.gallery out

test: lint
	$(BIN)/python -m pytest

test-thorough: lint
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest tests/test_properties.py

# Sweeps that are killed, hang, or find no room on their disk: minutes, and leave to mount a disk of its own.
test-faults: lint
	$(BIN)/python -m pytest -s -n 0 tests/faults/check_sweeps.py

# Sweeps on a Dask cluster, in an environment of its own.
CLUSTER := .cluster-venv

test-cluster: $(CLUSTER)/.ready
	$(CLUSTER)/bin/python -m pytest -s -n 0 -W ignore tests/cluster/check_cluster.py

$(CLUSTER)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(CLUSTER)
	$(CLUSTER)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,cluster]"
	touch $@

# Other people's meta-gradients, in an environment of its own: torch, TorchOpt and JAX take gigabytes.
FOREIGN := .foreign-venv

test-foreign: $(FOREIGN)/.ready
	$(FOREIGN)/bin/python -m pytest -s -W ignore tests/foreign/check_foreign.py

$(FOREIGN)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(FOREIGN)
	$(FOREIGN)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,foreign]"
	touch $@

# PEPit's certified worst cases, in an environment of its own: it brings solvers of semidefinite programmes.
ORACLE := .oracle-venv

test-oracle: $(ORACLE)/.ready
	$(ORACLE)/bin/python -m pytest -s -n 0 -W ignore tests/oracle/check_pepit.py

$(ORACLE)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,oracle]"
	touch $@

# The page in a headless chromium, which comes from the system: apt-get install chromium chromium-driver.
BROWSER := .browser-venv

test-browser: $(BROWSER)/.ready
	PYTHONPATH=tests $(BROWSER)/bin/python -m pytest -n 0 -s tests/browser/check_browser.py

$(BROWSER)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(BROWSER)
	$(BROWSER)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,browser]"
	touch $@

lint: $(VENV)/.ready
	$(BIN)/ruff check .

docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build

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
	rm -rf $(VENV) .bench-venv $(FOREIGN) $(ORACLE) $(BROWSER) $(CLUSTER) out build docs/_build docs/_generated *.egg-info
