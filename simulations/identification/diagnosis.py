"""What is wrong with a code besides which algorithm it is: failures, state, clipping, changed inputs, precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simulations.identification.call import Answer, Asker
from simulations.identification.candidates import candidates
from simulations.identification.fit import Fit, Matcher
from simulations.identification.probes import ROWS, Probe

_EXACT = 1e-9


def failures(probes: Sequence[Probe], answers: Sequence[Answer]) -> list[str]:
    """One sentence a kind of failure, with the probe where it was first seen and the k it is confined to."""
    found: dict[str, list[Probe]] = {}
    for probe, answer in zip(probes, answers, strict=False):
        if answer.message:
            found.setdefault(answer.message, []).append(probe)
        if answer.changed:
            found.setdefault(f"it changes {answer.changed}, which it was given", []).append(probe)
    return [f"{message}{_where(found[message], probes[: len(answers)])}" for message in found]


def _where(places: Sequence[Probe], asked: Sequence[Probe]) -> str:
    counts = sorted({probe.steps for probe in places})
    confined = all(probe in places or probe.steps not in counts for probe in asked)
    only = f" at k = {', '.join(map(str, counts))}" if confined and len(places) < len(asked) else ""
    return f"{only} (first at probe: {places[0].name})"


def forgetful(asker: Asker, probe: Probe, before: Answer, tolerance: float) -> str:
    """A fault if the same question gets another answer now, else ""."""
    again = asker(probe)
    if again.vector is None:
        return f"asked the same again, {again.message}: it keeps state between calls"
    change = np.linalg.norm(again.vector - before.vector) / np.linalg.norm(before.vector)
    if change <= tolerance:
        return ""
    return f"asked the same again, its answer changes by {change:.1e} of itself: it keeps state or draws at random"


def remembering(matcher: Matcher, most_steps: int, tolerance: float) -> tuple[Fit, str] | None:
    """A candidate that explains the answers if each also holds a share of the answer before, and that fault."""
    for candidate in candidates(most_steps):
        if not candidate.free:
            fit, share = matcher.remembering(candidate)
            if fit.residual <= tolerance:
                words = f"each answer holds {share:.6g} times the answer before: it keeps state between calls"
                return fit, words + (", as gradients that are not zeroed do" if abs(share - 1) < 1e-3 else "")
    return None


def shortened(matcher: Matcher, most_steps: int, tolerance: float) -> tuple[Fit, str] | None:
    """A candidate that explains the answers with its norm cut, and that fault."""
    norm = f"norm {matcher.norms.max():.6g}"
    words = f"every answer has {norm}: normalised" if matcher.equally_long else f"clipped: no answer exceeds {norm}"
    for candidate in candidates(most_steps):
        if not candidate.free:
            fit = matcher.cut(candidate)
            if fit.residual <= tolerance:
                return fit, words
    return None


def clipped(expected: np.ndarray, vector: np.ndarray, tolerance: float) -> str:
    """What happens to large gradients, "" if nothing."""
    size, length = np.linalg.norm(expected), np.linalg.norm(vector)
    if np.linalg.norm(vector - expected) <= 10 * tolerance * size:
        return ""
    if np.linalg.norm(vector / length - expected / size) <= 10 * tolerance:
        return f"clipped: where the meta-gradient has norm {size:.4g} it returns one of norm {length:.6g}"
    limit = np.abs(vector).max()
    if np.allclose(vector, np.clip(expected, -limit, limit), rtol=10 * tolerance, atol=0):
        return f"clipped: its entries are cut to [-{limit:.6g}, {limit:.6g}]"
    return "large gradients get another answer than the candidate's"


def notes(best: Fit, answers: Sequence[Answer], tolerance: float, dtype: str) -> list[str]:
    """What was noticed that is no fault in itself: precision, factors with an everyday cause."""
    found = []
    others = {answer.precision for answer in answers if answer.precision} - {dtype}
    if others:
        found.append(f"it was given {dtype} and returns {', '.join(sorted(others))}")
    elif dtype == "float64" and _EXACT < best.residual <= tolerance:
        found.append(f"a residual of {best.residual:.1e} is like the rounding of single precision, somewhere inside")
    sizes = {"the outer loss": best.law.constant}
    if best.candidate.free == "alpha factor":
        sizes["the inner loss"] = best.number
    for name, size in sizes.items():
        if best.residual <= tolerance and abs(size - ROWS) < 1e-5:
            found.append(f"a factor of {ROWS} is what {name} gets if it is summed over its {ROWS} rows of data")
    return found


def finite_difference_limit(best: Fit, matcher: Matcher, explained: float) -> str:
    """MAML and HF-MAML with a tiny delta differ by less than can be seen: up to which delta."""
    rival = next(candidate for candidate in candidates(1) if candidate.name == "hf-maml")
    at, exact = 0.1, matcher.prediction(best)[matcher.rows]
    other = matcher.prediction(replace(best, candidate=rival, number=at))[matcher.rows]
    worst = (np.linalg.norm(other - exact, axis=1) / np.linalg.norm(exact, axis=1)).max()
    return f"hf-maml(delta < {at * np.sqrt(explained / worst):.1g})"
