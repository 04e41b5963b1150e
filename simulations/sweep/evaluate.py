"""One cell decided or run: a function of the cell alone, whoever calls it, wherever, in whatever order."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from simulations import families
from simulations.experiment import Experiment, run
from simulations.family import Family, real
from simulations.sweep.axes import Value, number
from simulations.sweep.content import Content, noise_seed
from simulations.sweep.names import METHOD
from simulations.verdicts import judged
from simulations.verdicts.cell import Cell
from simulations.verdicts.sampled import Sample, begun
from simulations.verdicts.suite import chosen_claims
from simulations.verdicts.verdict import Verdict
from theory.rationals import exact

_EXACT = ("L", "rho", "sigma", "sigma_tilde", "sigma_H", "Delta", "alpha", "zeta")
_KEPT_FAMILIES = 64


@dataclass(frozen=True)
class Outcome:
    """What became of a cell. Numbers that are not there, or not finite, are None.

    status: HOLDS, VIOLATED, UNDECIDED, NOT_APPLICABLE, MEASURED (a run), ERROR, or lost.
    evidence, lhs, rhs, slack, expected, reason: as of `verdicts.Verdict`.
    T: first iteration at which the guarded mean of ||grad F|| is below eps; None where it was not reached.
    T_median: median over replicates of their own first passages. passed: how many replicates have one.
    smallest: least ||grad F||, the mean over replicates. diverged: replicates that did.
    draws, log_e: of a sampled cell, how many, and log of the e-value against the claim.
    state: from which sampling goes on, as JSON; "" where there is none.
    """

    status: str
    reason: str = ""
    evidence: str = ""
    lhs: float | None = None
    rhs: float | None = None
    slack: float | None = None
    expected: bool = True
    T: int | None = None
    T_median: float | None = None
    passed: int | None = None
    smallest: float | None = None
    diverged: int | None = None
    draws: int | None = None
    log_e: float | None = None
    state: str = ""


def evaluated(cell: Content, state: str = "", blocks: int = 0) -> Outcome:
    """Decide a cell or run it.

    Args:
        cell: what to do.
        state: of an undecided cell, from which to go on; "" to decide it without sampling.
        blocks: of draws, how many more to take.
    """
    try:
        family = _family(json.dumps(cell["family"], sort_keys=True))
    except ValueError as error:
        return Outcome("NOT_APPLICABLE", str(error))
    except Exception as error:
        return Outcome("ERROR", f"the family cannot be built: {_named(error)}", expected=False)
    try:
        return _run(cell, family) if cell["kind"] == "run" else _check(cell, family, state, blocks)
    except Exception as error:
        return Outcome("ERROR", _named(error), expected=False)


def _named(error: Exception) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


@lru_cache(_KEPT_FAMILIES)
def _family(recipe: str) -> Family:
    given = json.loads(recipe)
    build = families.named(given.pop("family"))
    return build(**{name: _argument(name, value) for name, value in given.items()})


def _argument(name: str, value: Value) -> object:
    """A value as the code below takes it: what is exact stays so, other fractions and infinity become floats."""
    if name in _EXACT or isinstance(value, int) or number(value) is None:
        return value
    return _float(value)


def _float(value: Value) -> float:
    return float(number(value))


def _alpha(options: Mapping[str, Value], family: Family) -> Value | None:
    if "a" not in options:
        return options.get("alpha")
    alpha = Fraction(str(exact(options["a"]) / exact(family.constants.L)))
    return str(alpha)


def _start(options: Mapping[str, Value], family: Family) -> np.ndarray:
    """w_0 moved by `shift` times L/rho in every coordinate, in the last one half as far again."""
    L, rho = real(family.constants.L), real(family.constants.rho)
    way = (L / rho if rho else 1.0) * np.linspace(1.0, 1.5, family.dim)
    return family.start + _float(options.get("shift", 0)) * way


def cell_of(cell: Content, family: Family | None = None) -> Cell:
    """The cell of the verdicts that a cell of a sweep is.

    Raises:
        ValueError: an option is out of its range.
    """
    family = family or _family(json.dumps(cell["family"], sort_keys=True))
    (claim,), given = chosen_claims([cell["claim"]]), cell["options"]
    options = {name: _argument(name, value) for name, value in given.items() if name not in ("a", "shift", "seed")}
    if "eps" in options:
        options["eps"] = _float(options["eps"])
    if "shift" in given:
        options["w"] = _start(given, family)
    return Cell(claim, family, cell["version"], **{**options, "alpha": _alpha(given, family)})


def _check(cell: Content, family: Family, state: str, blocks: int) -> Outcome:
    try:
        asked = cell_of(cell, family)
    except ValueError as error:
        return Outcome("NOT_APPLICABLE", str(error))
    if state:
        sample = Sample.restored(json.loads(state)).more(asked, noise_seed(cell), blocks)
        return _outcome(sample.verdict(asked), sample)
    verdict = judged(asked)
    return _outcome(verdict, begun(asked, cell["delta"]) if verdict.status == "UNDECIDED" else None)


def _outcome(verdict: Verdict, sample: Sample | None) -> Outcome:
    sides = {name: _finite(getattr(verdict, name)) for name in ("lhs", "rhs", "slack")}
    found = Outcome(verdict.status, verdict.reason, verdict.evidence, **sides, expected=verdict.expected)
    if sample is None:
        return found
    seen = {"draws": sample.draws, "log_e": sample.bet.log_wealth}
    return replace(found, **seen, state=json.dumps(sample.record, sort_keys=True))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _run(cell: Content, family: Family) -> Outcome:
    given = cell["options"]
    options = {name: _argument(name, value) for name, value in given.items() if name not in ("a", "shift", "alpha")}
    methods = {n.removeprefix(METHOD): options.pop(n) for n in list(options) if n.startswith(METHOD)}
    eps = [_float(options.pop("eps"))] if "eps" in options else []
    if number(options.get("step", "published")) is not None:
        options["step"] = _float(options["step"])
    for name in ("B", "D_in", "D_o", "D_h", "B_step", "D_step"):
        if name in options:
            options[name] = None if options[name] == math.inf else options[name]
    options |= {"seed": noise_seed(cell), "record_every": int(options.get("iterations", 1000))}
    try:
        experiment = Experiment(
            family.started_at(_start(given, family)) if "shift" in given else family,
            _alpha(given, family),
            cell["method"],
            eps=eps,
            until_passage=bool(eps),
            method_options=methods,
            **options,
        )
    except ValueError as error:
        return Outcome("NOT_APPLICABLE", str(error))
    found = run(experiment, threads=1).state
    own = found.passage[0] if eps else np.array([])
    reached = own[own >= 0]
    counted = found.smallest[found.diverged < 0]
    reason = "" if not eps or found.mean_passage[0] >= 0 else f"the mean is not below eps after {found.iteration - 1}"
    return Outcome(
        "MEASURED",
        reason,
        "run",
        rhs=eps[0] if eps else None,
        T=int(found.mean_passage[0]) if eps and found.mean_passage[0] >= 0 else None,
        T_median=_median(own),
        passed=int(reached.size) if eps else None,
        smallest=_finite(float(counted.mean())) if counted.size else None,
        diverged=int((found.diverged >= 0).sum()),
    )


def _median(passages: np.ndarray) -> float | None:
    """Over all replicates, those that did not get there last; None where it falls among these."""
    if not passages.size:
        return None
    return _finite(float(np.median(np.where(passages >= 0, passages, np.inf))))
