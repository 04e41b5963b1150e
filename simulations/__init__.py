"""Task families with known constants, exact moments, the engine that runs the algorithms on them, and verdicts."""

import importlib

from simulations import exact, families
from simulations.experiment import Experiment, Result, run

__all__ = ["Experiment", "Result", "audit", "check", "exact", "families", "identify", "lower_bounds", "run"]

_LATER = {"audit": "auditing", "check": "verdicts", "identify": "identification", "lower_bounds": "witnessed_bounds"}


def __getattr__(name: str):
    """What an experiment does not need is read when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'simulations' has no attribute {name!r}")
    return getattr(importlib.import_module(f"simulations.{_LATER[name]}"), name)
