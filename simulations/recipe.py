"""How a family was built, kept beside it, so that a replay key can build it again."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from simulations.family import Family


def recorded(name: str, build: Callable[..., Family]) -> Callable[..., Family]:
    """A builder whose families know the arguments they were built with, as `Family.recipe`."""

    @functools.wraps(build)
    def built(*args, **keywords) -> Family:
        family = build(*args, **keywords)
        given = inspect.signature(build).bind(*args, **keywords).arguments
        return replace(family, recipe={"family": name, **given})

    return built


def recorded_from(file: str, wrap: Callable) -> Callable[..., Family]:
    """The builder that a file defines under the file's own name.

    Args:
        file: its path.
        wrap: what every builder of the house is wrapped in.

    Raises:
        ValueError: the file is not there, or defines no such function.
    """
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"there is no file {file}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build = getattr(module, path.stem, None)
    if not callable(build):
        raise ValueError(f"{file} must define a function {path.stem} that builds the family")
    return recorded(file, wrap(build))
