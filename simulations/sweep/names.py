"""What a sweep can be over: every name of an axis, the range of its values, and who takes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache

from simulations import families
from simulations.experiment import DRAWS, Experiment
from simulations.methods import METHODS
from simulations.sweep.axes import Value, number
from simulations.verdicts.cell import Cell
from simulations.verdicts.suite import chosen_claims

FAMILY, METHOD = "family.", "method."
_CELL = {each.name for each in fields(Cell)} - {"claim", "family", "version", "w", "u"}
_RUN = {each.name for each in fields(Experiment)} - {
    *("family", "method", "method_options", "record_every", "until_passage", "engine")
}
_ADDED = {"a", "shift", "seed"}


@dataclass(frozen=True)
class Kind:
    """One kind of cell.

    chosen: the axes that say who is asked, each with its default; a cell is asked nothing else that these do not take.
    options: axes that the cell itself takes, whoever is asked.
    """

    chosen: dict[str, Value | None]
    options: frozenset[str]


KINDS = {
    "check": Kind({"family": "cosine", "claim": None, "version": "published"}, frozenset(_CELL | _ADDED)),
    "run": Kind({"family": "cosine", "method": "maml"}, frozenset(_RUN | _ADDED)),
}


def _known(names: Callable[[], object]) -> Callable[[Value], str]:
    def fault(value: Value) -> str:
        found = list(names())
        return "" if value in found else f"one of {', '.join(found)}"

    return fault


def _family(value: Value) -> str:
    try:
        families.named(str(value))
    except ValueError:
        return f"one of {', '.join(families.BY_CONSTANTS)}, or a file FILE.py"
    return "" if value in families.BY_CONSTANTS or str(value).endswith(".py") else "a family asked for by constants"


def _within(allowed: str, inside: Callable[[Fraction | float], bool]) -> Callable[[Value], str]:
    def fault(value: Value) -> str:
        found = number(value)
        return "" if found is not None and inside(found) else allowed

    return fault


def _is_whole(x: Fraction | float) -> bool:
    return isinstance(x, Fraction) and x.denominator == 1


def _step(value: Value) -> str:
    found = number(value)
    good = value in ("published", "exact", "sharp") if found is None else 0 < found < float("inf")
    return "" if good else "published, exact, sharp or a positive number"


_positive = _within("a positive number", lambda x: 0 < x < float("inf"))
_not_negative = _within("a number from 0 on", lambda x: 0 <= x < float("inf"))
_count = _within("a whole number from 1 on", lambda x: _is_whole(x) and x >= 1)
_batch = _within('a whole number from 1 on, or "inf"', lambda x: x == float("inf") or (_is_whole(x) and x >= 1))
_seed = _within("a whole number of [0, 2**64)", lambda x: _is_whole(x) and 0 <= x < 2**64)

RANGES: dict[str, Callable[[Value], str]] = {
    "family": _family,
    "claim": _known(lambda: [claim.id for claim in chosen_claims()]),
    "version": _known(lambda: dict.fromkeys(name for claim in chosen_claims() for name in claim.versions)),
    "method": _known(lambda: METHODS),
    "estimate": _known(lambda: ("maml", "fo_maml", "hf_maml")),
    "by": _known(lambda: ("balls", "moments", "outcomes", "certificate")),
    "draws": _known(lambda: DRAWS),
    "step": _step,
    "zeta": _within("a number of (0, 1/6]", lambda x: 0 < x <= Fraction(1, 6)),
    "shift": _within("a number", lambda x: abs(x) < float("inf")),
    "a": _within("a number of [0, 1]", lambda x: 0 <= x <= 1),
    "seed": _seed,
    "family.seed": _seed,
    **dict.fromkeys(("L", "eps", "Delta"), _positive),
    **dict.fromkeys(("rho", "sigma", "sigma_tilde", "sigma_H", "alpha"), _not_negative),
    **dict.fromkeys(("dim", "tasks", "N", "T", "iterations", "replicates"), _count),
    **dict.fromkeys(("B", "D_in", "D_o", "D_h", "B_step", "D_step"), _batch),
}
"""What is wrong with a value, as the text of what is allowed; "" if nothing is. Names not here take anything."""


@cache
def arguments(family: str) -> frozenset[str]:
    """The arguments that a family's builder takes."""
    return frozenset(inspect.signature(families.named(family)).parameters)


@cache
def takes(kind: str, family: str, name: str) -> bool:
    """Whether a cell of this kind on this family looks at an axis."""
    if name in KINDS[kind].chosen or name in KINDS[kind].options:
        return True
    if name.startswith(METHOD):
        return kind == "run"
    return name.removeprefix(FAMILY) in arguments(family)
