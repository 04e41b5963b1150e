"""Families of tasks, one per file: a file of this folder is registered by being here, under its own name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from simulations.family import Family
from simulations.recipe import recorded, recorded_from

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))

for _name in NAMES:
    globals()[_name] = recorded(_name, getattr(importlib.import_module(f"{__name__}.{_name}"), _name))


def named(name: str) -> Callable[..., Family]:
    """The builder of this name, or the one that a file FILE.py of the user's own defines under the name FILE.

    Raises:
        ValueError: there is none.
    """
    if name in NAMES:
        return globals()[name]
    if name.endswith(".py"):
        return recorded_from(name)
    raise ValueError(f"family must be one of {', '.join(NAMES)}, or a file FILE.py, got {name!r}")


__all__ = ["NAMES", "named", *NAMES]
