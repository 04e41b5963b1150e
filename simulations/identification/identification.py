"""`identify`: put the probes to a meta-gradient, compare the answers with every candidate, and say what it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real

import numpy as np
import pandas as pd

from simulations.identification.call import Answer, ask
from simulations.identification.candidates import Candidate, candidates
from simulations.identification.fit import Fit, Matcher
from simulations.identification.probes import Probe, make_probes
from simulations.identification.report import Report

TOLERANCES = {"float64": 1e-6, "float32": 2e-5}
_ALPHAS = (1 / 8, 1 / 16)
_EXACT = 1e-9
_FATAL = ("hangs", "changes its input")


def identify(
    meta_gradient: Callable,
    *,
    steps: Sequence[int] = (1, 2, 3),
    dtype: str = "float64",
    fixed: Mapping[str, float] | None = None,
    timeout: float = 10.0,
) -> Report:
    """Find out which algorithm a meta-gradient is.

    Args:
        meta_gradient: (loss, w, tasks, alpha, steps) -> array (d,). `loss(w, x)` is a scalar to be differentiated, of
            a vector w (d,) and rows of data x; `tasks` is a list of pairs (support, query) of such rows; `alpha` is
            the inner step and `steps` the number of inner steps. Arrays are NumPy's; convert them as the code needs.
        steps: the numbers of inner steps to ask for; with 1 alone many candidates look alike.
        dtype: "float64" or "float32", in which arrays are handed over.
        fixed: what the code has hard-coded, by name: {"alpha": 0.01}, {"steps": 5}.
        timeout: seconds a call may take.

    Returns:
        A Report; it prints readably.

    Raises:
        ValueError: an argument out of its range.
        TypeError: meta_gradient cannot be called.
    """
    if not callable(meta_gradient):
        raise TypeError(f"meta_gradient must be a function, got {type(meta_gradient).__name__}")
    steps, alphas = _asked(steps, dtype, fixed or {}, timeout)
    probes = make_probes(steps, alphas)
    answers = _ask_all(meta_gradient, probes, dtype, timeout)
    faults = _faults(probes, answers)
    asked = [(probe, answer) for probe, answer in zip(probes, answers, strict=False) if answer.outcome == "answer"]
    usable = [(probe, answer.vector) for probe, answer in asked if not probe.large]
    tolerance = TOLERANCES[dtype]
    if not usable:
        return _nothing(probes, answers, faults, tolerance)
    if not any(answer.outcome in _FATAL for answer in answers):
        faults += _stale(meta_gradient, *asked[0], dtype, timeout, tolerance)
    chosen, vectors = [probe for probe, _ in usable], np.array([vector for _, vector in usable])
    matcher = Matcher(chosen, vectors)
    fits = _compare(matcher, max(steps), tolerance)
    best = min((f for f in fits if f.residual <= tolerance), key=lambda f: f.candidate.rank, default=fits[0])
    faults += _clipping(best, matcher, asked, tolerance)
    notes = _notes(best, asked, tolerance, dtype)
    alike = _alike(best, fits, chosen, tolerance)
    others = [other for other in alike if other.candidate.name != best.candidate.name]
    status = "none" if best.residual > tolerance else "undecided" if others else "named"
    return Report(
        status,
        best,
        tuple(other.label for other in (others or alike)) + _finite_difference_limit(best, chosen, tolerance, dtype),
        tuple(faults),
        tuple(notes),
        pd.DataFrame([{"candidate": f.label, "residual": f.residual, "scale": str(f.law)} for f in fits]),
        _answer_table(probes, answers, best),
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
    steps = tuple(sorted({int(fixed["steps"])} if "steps" in fixed else set(steps)))
    if not steps or not all(isinstance(k, Integral) and k >= 1 for k in steps):
        raise ValueError(f"steps must be whole numbers of at least 1, got {steps}")
    alphas = (float(fixed["alpha"]),) if "alpha" in fixed else _ALPHAS
    if not all(0 < alpha < 1 for alpha in alphas):
        raise ValueError(f"alpha must lie between 0 and 1, got {alphas[0]}")
    return steps, alphas


def _ask_all(meta_gradient: Callable, probes: Sequence[Probe], dtype: str, timeout: float) -> list[Answer]:
    """The answers, up to the first that hangs."""
    answers = []
    for probe in probes:
        answers.append(ask(meta_gradient, probe, dtype, timeout))
        if answers[-1].outcome == "hangs":
            break
    return answers


def _faults(probes: Sequence[Probe], answers: Sequence[Answer]) -> list[str]:
    """One sentence a kind of failure, with the probe where it was first seen and the k it is confined to."""
    found: dict[str, list[Probe]] = {}
    for probe, answer in zip(probes, answers, strict=False):
        if answer.outcome != "answer":
            found.setdefault(answer.message, []).append(probe)
    sentences = []
    for message, where in found.items():
        always = len(where) == len(answers)
        counts = sorted({probe.steps for probe in where})
        only = "" if always else f" at k = {', '.join(map(str, counts))}"
        sentences.append(f"{message}{only} (first at probe: {where[0].name})")
    return sentences


def _stale(
    meta_gradient: Callable, probe: Probe, before: Answer, dtype: str, timeout: float, tolerance: float
) -> list[str]:
    """A fault if the same question gets another answer now."""
    again = ask(meta_gradient, probe, dtype, timeout)
    if again.vector is None:
        return [f"asked the same again, {again.message}: it keeps state between calls"]
    change = np.linalg.norm(again.vector - before.vector) / np.linalg.norm(before.vector)
    if change <= tolerance:
        return []
    return [f"asked the same again, its answer changes by {change:.1e} of itself: it keeps state or draws at random"]


def _compare(matcher: Matcher, most_steps: int, tolerance: float) -> list[Fit]:
    """Fits, the nearest first; candidates with a free number only where no other explains the answers."""
    everything = candidates(most_steps)
    fits: list[Fit] = []
    for stage in (_without_number, _with_number, _solver_stopped):
        fits += [matcher.fit(candidate) for candidate in everything if stage(candidate)]
        if min(f.residual for f in fits) <= tolerance:
            break
    return sorted(fits, key=lambda f: f.residual)


def _without_number(candidate: Candidate) -> bool:
    return not candidate.free


def _with_number(candidate: Candidate) -> bool:
    return bool(candidate.free) and candidate.rank < 50


def _solver_stopped(candidate: Candidate) -> bool:
    return candidate.rank >= 50


def _alike(best: Fit, fits: Sequence[Fit], probes: Sequence[Probe], tolerance: float) -> list[Fit]:
    """The other candidates that explain the answers as well."""
    return [f for f in fits if f is not best and best.residual <= tolerance and f.residual <= tolerance]


def _finite_difference_limit(best: Fit, probes: Sequence[Probe], tolerance: float, dtype: str) -> tuple[str, ...]:
    """In single precision MAML and HF-MAML with a tiny delta look the same: up to which delta."""
    if best.candidate.name != "maml" or best.candidate.traits or best.residual > tolerance or dtype == "float64":
        return ()
    rival = next(c for c in candidates(1) if c.name == "hf-maml")
    at, worst = 0.1, 0.0
    for probe in probes:
        exact = best.candidate.direction(probe, 0.0)
        worst = max(worst, np.linalg.norm(rival.direction(probe, at) - exact) / np.linalg.norm(exact))
    return (f"hf-maml(delta < {at * math.sqrt(tolerance / worst):.1g})",)


def _clipping(best: Fit, matcher: Matcher, asked: Sequence[tuple[Probe, Answer]], tolerance: float) -> list[str]:
    """Faults: what happens to large gradients, or to all, where only directions agree with a candidate."""
    if best.residual <= tolerance:
        return [
            fault for probe, answer in asked if probe.large for fault in _clipped(best, probe, answer.vector, tolerance)
        ]
    limit = float(matcher.norms.max())
    cut = [c.label for c in candidates(1) if not c.free and matcher.cut(c, limit) <= tolerance]
    return [f"{cut[0]}, clipped to norm {limit:.6g} or normalised"] if cut else []


def _notes(best: Fit, asked: Sequence[tuple[Probe, Answer]], tolerance: float, dtype: str) -> list[str]:
    notes = []
    precisions = {answer.precision for _, answer in asked}
    if precisions - {dtype}:
        notes.append(f"it was given {dtype} and returns {', '.join(sorted(precisions - {dtype}))}")
    elif dtype == "float64" and _EXACT < best.residual <= tolerance:
        notes.append(f"a residual of {best.residual:.1e} is the rounding of single precision, somewhere inside")
    return notes


def _clipped(best: Fit, probe: Probe, vector: np.ndarray, tolerance: float) -> list[str]:
    """What happens to large gradients, if anything."""
    expected = best.prediction(probe)
    size = np.linalg.norm(expected)
    if np.linalg.norm(vector - expected) <= 10 * tolerance * size:
        return []
    length = np.linalg.norm(vector)
    if np.linalg.norm(vector / length - expected / size) <= 10 * tolerance:
        return [f"clipped: where the meta-gradient has norm {size:.4g} it returns one of norm {length:.6g}"]
    limit = np.abs(vector).max()
    if np.allclose(vector, np.clip(expected, -limit, limit), rtol=10 * tolerance, atol=0):
        return [f"clipped: its entries are cut to [-{limit:.6g}, {limit:.6g}]"]
    return ["large gradients get another answer than the candidate's"]


def _answer_table(probes: Sequence[Probe], answers: Sequence[Answer], best: Fit | None) -> pd.DataFrame:
    rows = []
    for probe, answer in zip(probes, answers, strict=False):
        norm = residual = math.nan
        if answer.outcome == "answer":
            norm = float(np.linalg.norm(answer.vector))
            if best:
                residual = float(np.linalg.norm(answer.vector - best.prediction(probe))) / norm
        rows.append({"probe": probe.name, "outcome": answer.outcome, "norm": norm, "residual": residual})
    return pd.DataFrame(rows)


def _nothing(probes: Sequence[Probe], answers: Sequence[Answer], faults: list[str], tolerance: float) -> Report:
    """The report where no probe got an answer to compare."""
    empty = pd.DataFrame({"candidate": [], "residual": [], "scale": []})
    table = _answer_table(probes, answers, None)
    return Report("none", None, (), tuple(faults), (), empty, table, tolerance)
