"""Figures, one per file: a file of this folder that has `draw` is registered by being here, under its own name.

A figure module has
    TITLE                            one line
    CAPTION                          what is drawn, for a reader who sees only this, with {names} for its numbers
    instances(settings)              everything that will run, built and checked, nothing run yet
    data(instances, progress)        run; a dict of tidy tables by name; progress takes the share done
    draw(tables)                     a matplotlib Figure from those tables alone
    findings(tables)                 what the tables show, as (statement, figure) pairs of text
    numbers(tables)                  the numbers of the caption by name; left out where it has none
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Literal

import pandas as pd

from theory.rationals import Number


@dataclass(frozen=True)
class Settings:
    """What a user may set for all figures at once.

    profile: "quick" (minutes on two cores) or "full".
    constants: constants of the assumptions by name, in place of each figure's own.
    seed: of the families and of all noise.
    """

    profile: Literal["quick", "full"] = "quick"
    constants: Mapping[str, Number] = field(default_factory=dict)
    seed: int = 0


def caption(figure: ModuleType, tables: Mapping[str, pd.DataFrame]) -> str:
    """The caption of a figure with its numbers, which come from the tables."""
    return figure.CAPTION.format(**getattr(figure, "numbers", lambda _: {})(tables))


def modules() -> dict[str, ModuleType]:
    """The figures of this folder by name."""
    found = {
        module.name: importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if not (module.name.startswith("_") or module.ispkg)
    }
    return {name: module for name, module in found.items() if hasattr(module, "draw")}
