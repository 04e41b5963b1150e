"""`mamlbound doctor`: which engines work on this machine and why others do not, versions, threads, cache folder."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Annotated

import typer

PACKAGES = ("mamlbound", "numpy", "scipy", "sympy", "numba", "pandas", "matplotlib", "python-flint", "typer")


def doctor(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Of a sweep, to be examined instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say which engines work here, by running each, and what they run on; or whether the ledger of a sweep is sound.

    Exit code 0, whatever is found of engines; 1 for a ledger that is not sound.
    """
    if folder is not None:
        from mamlbound.sweep import examine as examine_ledger

        examine_ledger(folder, as_json)
        return
    found = examine()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, state in found["engines"].items():
        typer.echo(f"engine {name:<8}{'works' if state['works'] else 'does not work'}: {state['note']}")
    for name in ("python", "machine", "threads", "cache"):
        typer.echo(f"{name:<15}{found[name]}")
    typer.echo("versions       " + ", ".join(f"{name} {version}" for name, version in found["versions"].items()))


def examine() -> dict:
    """engines: name -> works, note. versions, python, machine, threads, cache, cache_kept."""
    from simulations.experiment import ENGINES
    from simulations.kernels import CACHE_FOLDER

    kept = CACHE_FOLDER.parent.name == "mamlbound"
    passing = f"{CACHE_FOLDER}, for this process alone: the user's cache cannot be written"
    return {
        "engines": {name: _engine(name) for name in ENGINES},
        "versions": _versions(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": os.cpu_count() or 1,
        "cache": str(CACHE_FOLDER) if kept else passing,
        "cache_kept": kept,
    }


def _engine(name: str) -> dict[str, object]:
    """Run a few noisy iterations and compare with the same run on the CPU engine."""
    import numpy as np

    from simulations import Experiment, families, run

    asked = {"B": 3, "D_in": 2, "D_o": 2, "D_h": 2, "B_step": 1, "D_step": 1, "iterations": 4, "replicates": 3}
    family = families.cosine(dim=3, tasks=4)
    try:
        points = [run(Experiment(family, "1/6", **asked, engine=each)).state.points for each in (name, "cpu")]
    except Exception as error:
        return {"works": False, "note": str(error).splitlines()[0] if str(error) else type(error).__name__}
    off = float(np.abs(points[0] - points[1]).max())
    if not off < 1e-10:
        return {"works": False, "note": f"differs from engine 'cpu' by {off:.1g} after 4 iterations"}
    return {"works": True, "note": _device(name)}


def _device(name: str) -> str:
    if name != "cupy":
        return "Numba, all threads" if name == "cpu" else "arrays in one thread, agrees with engine 'cpu'"
    import cupy

    found = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    return f"{found}, agrees with engine 'cpu'"


def _versions() -> dict[str, str]:
    found = {}
    for name in (*PACKAGES, "cupy"):
        try:
            module = name if name != "cupy" else _cupy_distribution()
            found[name] = importlib.metadata.version(module) if module else "not installed"
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _cupy_distribution() -> str | None:
    """CuPy's name on this machine: cupy, or cupy-cuda12x and the like."""
    names = importlib.metadata.packages_distributions().get("cupy", [])
    return names[0] if names else None
