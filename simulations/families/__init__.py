"""Families of tasks, one per file: a file of this folder is registered by being here, under its own name.

Every builder found here also takes noise= and hessian_noise=, names of files of `simulations.noises` or what those
build.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable

from simulations.family import Family
from simulations.recipe import recorded, recorded_from

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def noisy(build: Callable[..., Family]) -> Callable[..., Family]:
    """A builder of families that also takes noise= and hessian_noise=."""

    @functools.wraps(build)
    def built(*args, noise=None, hessian_noise=None, **keywords) -> Family:
        return build(*args, **keywords).with_noise(noise, hessian_noise)

    signature = inspect.signature(build)
    keywords = ("noise", "hessian_noise")
    added = [inspect.Parameter(keyword, inspect.Parameter.KEYWORD_ONLY, default=None) for keyword in keywords]
    built.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])
    return built


for _name in NAMES:
    globals()[_name] = recorded(_name, noisy(getattr(importlib.import_module(f"{__name__}.{_name}"), _name)))

BY_CONSTANTS = tuple(name for name in NAMES if "L" in inspect.signature(globals()[name]).parameters)
"""The families that are asked for by L, rho, sigma, ...; the others take data."""

APART = ("bowl", "spike")
"""Made for one claim alone and not held to the contract of the families; known to `named` only."""


def named(name: str) -> Callable[..., Family]:
    """The builder of this name, or the one that a file FILE.py of the user's own defines under the name FILE.

    Raises:
        ValueError: there is none.
    """
    if name in NAMES:
        return globals()[name]
    if name in APART:
        module = importlib.import_module(f"{__name__}._{name}")
        return recorded(name, noisy(getattr(module, name)))
    if name.endswith(".py"):
        return recorded_from(name, noisy)
    raise ValueError(f"family must be one of {', '.join(NAMES)}, or a file FILE.py, got {name!r}")


__all__ = ["BY_CONSTANTS", "NAMES", "named", *NAMES]
