"""Families of tasks, one per file: a file of this folder is registered by being here, under its own name."""

from __future__ import annotations

import importlib
import pkgutil

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))

for _name in NAMES:
    globals()[_name] = getattr(importlib.import_module(f"{__name__}.{_name}"), _name)

__all__ = ["NAMES", *NAMES]
