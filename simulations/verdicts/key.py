"""Replay keys: a cell as compact JSON in base64url, with every parameter in it."""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import fields
from fractions import Fraction

import numpy as np

from simulations.family import Family
from simulations.verdicts import own
from simulations.verdicts.cell import Cell
from theory import CLAIMS, Claim

KNOWN: dict[str, Claim] = dict(CLAIMS)
"""The claims a key can name, by id; `assumptions` adds A1-A5."""


def written(cell: Cell) -> str:
    """The key of a cell.

    Raises:
        ValueError: the claim or the family is not one that can be named, or was altered after it was built.
    """
    claim, family = cell.claim, cell.family
    name = {"claim": claim.id} if KNOWN.get(claim.id) is claim else own.named(claim)
    if name is None:
        raise ValueError(f"{claim.id} is not the registered claim of this name, so no key can name it")
    record = {**name, "family": recipe(family), **cell.options()}
    try:
        text = json.dumps(_plain(record), separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"an argument of this {family.name} family cannot be written into a key: {error}") from error
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def recipe(family: Family) -> dict[str, object]:
    """What `rebuilt` needs: the arguments it was built with, and its start where that was moved.

    Raises:
        ValueError: nothing is known of how it was built, or it was altered since.
    """
    if family.recipe is not None:
        found = rebuilt(family.recipe)
        moved = {} if np.array_equal(found.start, family.start) else {"start": family.start}
        if _same(family, rebuilt({**family.recipe, **moved})):
            return {**family.recipe, **moved}
    raise ValueError(f"this {family.name} family was altered after it was built, so no key can build it again")


def read(key: str) -> Cell:
    """The cell of a key.

    Raises:
        ValueError: it is no key, or names what is not there.
    """
    try:
        packed = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        record = json.loads(zlib.decompress(packed))
        name, recipe, content = record.pop("claim"), record.pop("family"), record.pop("content", None)
        claim = KNOWN[name] if content is None else None
        known = {each.name for each in fields(Cell)}
        options = {name: _back(value) for name, value in record.items() if name in known}
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"{key[:20]}... is no replay key: {error}") from error
    return Cell(claim or own.again(name, content), rebuilt(recipe), **options)


def rebuilt(recipe: dict) -> Family:
    """The family of a recipe: {"family": name, **arguments of its builder}."""
    from simulations import families

    arguments = {name: _back(value) for name, value in recipe.items() if name != "family"}
    start = arguments.pop("start", None)
    family = families.named(recipe["family"])(**arguments)
    return family if start is None else family.started_at(np.array(start))


def _same(one: Family, other: Family) -> bool:
    arrays = ("table", "shared", "probabilities", "start")
    noises = [(each.noise.gradient.name, each.noise.hessian.name, *each.oracle.spread) for each in (one, other)]
    return (
        one.constants == other.constants
        and noises[0] == noises[1]
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    )


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, float) and math.isinf(value):
        return None
    if isinstance(value, Fraction) or type(value).__module__.startswith("sympy"):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def _back(value: object) -> object:
    return np.array(value, dtype=float) if isinstance(value, list) else value
