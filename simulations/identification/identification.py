"""`identify`: put the probes to a meta-gradient, compare the answers with every candidate, and say what it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real

import numpy as np
import pandas as pd

from simulations.identification import diagnosis
from simulations.identification.call import Answer, asking
from simulations.identification.candidates import candidates
from simulations.identification.fit import Fit, Matcher
from simulations.identification.probes import Batch, make_probes
from simulations.identification.report import ZERO, Report

TOLERANCES = {"float64": 1e-6, "float32": 2e-5}
_FLOORS = {"float64": 1e-11, "float32": 2e-5}
_AS_GOOD = 10.0
_ALPHAS = (1 / 8, 1 / 16)


def identify(
    meta_gradient: Callable,
    *,
    steps: Sequence[int] = (1, 2, 3),
    dtype: str = "float64",
    fixed: Mapping[str, float] | None = None,
    timeout: float = 10.0,
    isolated: bool = False,
) -> Report:
    """Find out which algorithm a meta-gradient is.

    Args:
        meta_gradient: (loss, w, tasks, alpha, steps) -> array (d,). `loss(w, x)` is a scalar to be differentiated, of
            a vector w (d,) and rows of data x; `tasks` is a list of pairs (support, query) of such rows; `alpha` is
            the inner step and `steps` the number of inner steps. Arrays are NumPy's; convert them as the code needs.
        steps: the numbers of inner steps to ask for; with 1 alone many candidates look alike.
        dtype: "float64" or "float32", in which arrays are handed over.
        fixed: what the code has hard-coded, by name: {"alpha": 0.01}, {"steps": 5}.
        timeout: seconds a call may take. Python code is interrupted then, in whatever thread; compiled code that never
            returns to Python is not, unless isolated.
        isolated: put the questions in a forked process, which is killed where it hangs and may crash without harm.
            Libraries that already own threads or a GPU (JAX, torch with CUDA) may not survive the fork.

    Returns:
        A Report; it prints readably.

    Raises:
        ValueError: an argument out of its range.
        TypeError: meta_gradient cannot be called.
    """
    if not callable(meta_gradient):
        raise TypeError(f"meta_gradient must be a function, got {type(meta_gradient).__name__}")
    steps, alphas = _asked(steps, dtype, fixed or {}, timeout)
    batch, tolerance = make_probes(steps, alphas), TOLERANCES[dtype]
    with asking(meta_gradient, dtype, timeout, isolated) as asker:
        answers = []
        for probe in batch.probes:
            answers.append(asker(probe))
            if answers[-1].last:
                break
        first = next((i for i, answer in enumerate(answers) if answer.outcome == "answer"), None)
        stale = ""
        if first is not None and not answers[-1].last:
            stale = diagnosis.forgetful(asker, batch.probes[first], answers[first], tolerance)
    faults = diagnosis.failures(batch.probes, answers)
    rows = [i for i, a in enumerate(answers) if a.outcome == "answer" and not batch.probes[i].large]
    if not rows:
        return _nothing(batch, answers, faults, tolerance)
    matcher = Matcher(batch, rows, np.array([answers[i].vector for i in rows]))
    remembers = bool(stale) and rows == list(range(len(rows)))
    best, alike, fits, fault = _named(matcher, max(steps), dtype, remembers)
    faults += [fault or stale] if fault or stale else []
    others = {fit.candidate.name for fit in alike if fit.candidate.limit != best.label} - {best.candidate.name}
    status = "none" if best.residual > tolerance else "undecided" if others else "named"
    expected = matcher.prediction(best)
    if status != "none" and not fault and answers[-1].vector is not None and batch.probes[len(answers) - 1].large:
        clipped = diagnosis.clipped(expected[-1], answers[-1].vector, tolerance)
        faults += [clipped] if clipped else []
    return Report(
        status,
        best,
        _labels(best, alike, matcher, dtype),
        tuple(faults),
        tuple(diagnosis.notes(best, answers, tolerance, dtype)),
        pd.DataFrame([{"candidate": f.label, "residual": f.residual, "scale": str(f.law)} for f in fits]),
        _answer_table(batch, answers, expected),
        tolerance,
    )


def _asked(
    steps: Sequence[int], dtype: str, fixed: Mapping[str, float], timeout: float
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The inner steps and step sizes to ask for, checked."""
    unknown = set(fixed) - {"alpha", "steps"}
    if unknown:
        raise ValueError(f"fixed may name alpha and steps, not {sorted(unknown)[0]}")
    if dtype not in TOLERANCES:
        raise ValueError(f"dtype must be one of {', '.join(TOLERANCES)}, got {dtype!r}")
    if not (isinstance(timeout, Real) and 0 < timeout < math.inf):
        raise ValueError(f"timeout must be positive, got {timeout!r}")
    wanted = [fixed["steps"]] if "steps" in fixed else list(steps)
    if not wanted or not all(isinstance(k, Real) and k == int(k) and 1 <= k <= 100 for k in wanted):
        raise ValueError(f"steps must be whole numbers from 1 to 100, got {', '.join(map(str, wanted)) or 'none'}")
    alphas = (float(fixed["alpha"]),) if "alpha" in fixed else _ALPHAS
    if not all(0 < alpha < 1 for alpha in alphas):
        raise ValueError(f"alpha must lie between 0 and 1, got {alphas[0]}")
    return tuple(sorted({int(k) for k in wanted})), alphas


def _named(matcher: Matcher, most_steps: int, dtype: str, remembers: bool) -> tuple[Fit, list[Fit], list[Fit], str]:
    """The best fit, those that explain the answers as well, all of them with the nearest first, and a fault it implies.

    Candidates of a later stage are tried only where none of an earlier one explains the answers down to rounding.
    """
    tolerance, everything = TOLERANCES[dtype], candidates(most_steps)
    fits: list[Fit] = []
    for stage in (1, 2, 3):
        fits += [matcher.fit(candidate) for candidate in everything if candidate.stage == stage]
        least = min(fit.residual for fit in fits)
        if least <= (_FLOORS[dtype] if stage == 1 else tolerance):
            break
    explained = min(tolerance, max(_FLOORS[dtype], _AS_GOOD * least))
    equal = [fit for fit in fits if fit.residual <= explained]
    fits.sort(key=lambda fit: fit.residual)
    if equal:
        return equal[0], equal[1:], fits, ""
    for explanation in (*([diagnosis.remembering] if remembers else []), diagnosis.shortened):
        found = explanation(matcher, most_steps, tolerance)
        if found:
            return found[0], [], [found[0], *fits], found[1]
    return fits[0], [], fits, ""


def _labels(best: Fit, alike: Sequence[Fit], matcher: Matcher, dtype: str) -> tuple[str, ...]:
    """The candidates not told apart from the best one; those that contain it as a limit, by how near they must be."""
    labels = [fit.label for fit in alike if fit.candidate.limit != best.label]
    explained = min(TOLERANCES[dtype], max(_AS_GOOD * best.residual, _FLOORS[dtype]))
    if best.label == "maml" and (dtype == "float32" or best.residual > _FLOORS[dtype]):
        labels.append(diagnosis.finite_difference_limit(best, matcher, explained))
    return tuple(labels)


def _answer_table(batch: Batch, answers: Sequence[Answer], expected: np.ndarray | None) -> pd.DataFrame:
    rows = []
    for i, (probe, answer) in enumerate(zip(batch.probes, answers, strict=False)):
        norm = residual = math.nan
        if answer.outcome == "answer":
            norm = float(np.linalg.norm(answer.vector))
            residual = float(np.linalg.norm(answer.vector - expected[i])) / norm if expected is not None else math.nan
        rows.append({"probe": probe.name, "outcome": answer.outcome, "norm": norm, "residual": residual})
    return pd.DataFrame(rows)


def _nothing(batch: Batch, answers: Sequence[Answer], faults: list[str], tolerance: float) -> Report:
    """The report where no probe got an answer to compare: all are 0, or there is none."""
    empty = pd.DataFrame({"candidate": [], "residual": [], "scale": []})
    table = _answer_table(batch, answers, None)
    if all(answer.outcome == "zero" and not answer.changed for answer in answers):
        return Report("named", ZERO, (), (), (), empty, table, tolerance)
    return Report("none", None, (), tuple(faults), (), empty, table, tolerance)
