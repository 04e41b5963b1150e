"""Where results come from: versions, processor, threads, sources, configuration."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from simulations.kernels import CACHE_FOLDER
from simulations.sweep.configuration import Configuration
from simulations.sweep.content import PHYSICS

_PACKAGES = ("mamlbound", "numpy", "scipy", "sympy", "numba", "python-flint", "pandas", "pyarrow")


def provenance(configuration: Configuration, workers: str) -> dict[str, object]:
    """Of a run of the command, as plain data.

    Args:
        configuration: what is run.
        workers: on what.
    """
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **environment(),
        "workers": workers,
        "physics": PHYSICS,
        "configuration": configuration.text,
        "configuration_hash": configuration.hash,
    }


def environment() -> dict[str, object]:
    """What is common to all results made here: versions, machine, processor, threads, hash of the sources, commit."""
    return {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": os.cpu_count() or 1,
        "sources": CACHE_FOLDER.name,
        "git": _git(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _git() -> dict[str, object] | None:
    """commit, and dirty: whether files that are tracked differ from it; None outside a repository."""
    here = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        status = [*here, "status", "--porcelain", "--untracked-files=no"]
        changed = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changed.strip())}
