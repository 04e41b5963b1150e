"""What was found out about a meta-gradient: one line first, then the table."""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from simulations.identification.candidates import NAMES, Candidate
from simulations.identification.fit import Fit, Law

Status = Literal["named", "none", "undecided"]
ZERO = Fit(Candidate("zero", lambda batch, numbers: np.zeros((len(numbers), *batch.w.shape))), 1.0, Law(1.0), 0.0)
_HARMLESS_TRAITS = ("anil", "hf-maml", "gradient")
_SAME_NUMBER = 1e-5


@dataclass(frozen=True, eq=False)
class Report:
    """The identification of a meta-gradient.

    status: "named", "none" (no candidate explains the answers, or there are none) or "undecided" (several do).
    best: the simplest candidate that explains the answers, else the nearest; None where nothing could be compared.
    alike: labels of candidates that the probes cannot tell from it.
    faults: sentences on what is wrong with the code whatever it is: it raises, hangs, keeps state, clips, ...
    notes: sentences on what was noticed: precision, factors with an everyday cause, ...
    candidates: label, residual, law; every candidate compared, the nearest first.
    answers: probe, outcome, norm, residual; one row a call.
    tolerance: residual up to which a candidate counts as explaining the answers.
    """

    status: Status
    best: Fit | None
    alike: tuple[str, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    candidates: pd.DataFrame
    answers: pd.DataFrame
    tolerance: float

    @property
    def name(self) -> str:
        """The algorithm's name, as `expect` spells it; "" unless the status is "named"."""
        return self.best.candidate.name if self.status == "named" else ""

    @property
    def verdict(self) -> str:
        """The finding in one line."""
        faults = f"; but {self.faults[0]}" if self.faults else ""
        if self.best is None:
            return f"no meta-gradient: {self.faults[0]}"
        if self.best is ZERO:
            return "zero: it returns 0 whatever it is asked"
        if self.status == "undecided":
            return f"undecided: {' or '.join((self.best.label, *self.alike))}{faults}"
        if self.status == "none":
            return f"none of these; nearest is {self.best.label}, residual {self.best.residual:.1e}{faults}"
        limits = "".join(f" or {label}" for label in self.alike if "<" in label)
        return f"{self.best.label}{limits}; {scale(self.best.law)}; residual {self.best.residual:.1e}{faults}"

    def differs_from(self, expected: str) -> str:
        """Why this is not what was expected, in one sentence; "" if it is.

        Args:
            expected: a candidate's name, with its free number where it has one: "maml", "imaml(lambda=2)".

        Raises:
            ValueError: the text has another form, or names no algorithm.
        """
        name, number = parse_expected(expected)
        if self.status != "named":
            return f"{expected} was expected, but the finding is {self.status}"
        if self.best is ZERO and name == "zero":
            return ""
        fitting = self.name == name and (not self.best.candidate.traits or name in _HARMLESS_TRAITS)
        if number is not None:
            fitting &= math.isclose(self.best.number, number, rel_tol=_SAME_NUMBER)
        if not fitting:
            return f"{expected} was expected, but it is {self.best.label}"
        if str(self.best.law) != "1" or abs(self.best.law.constant - 1) > 10 * self.tolerance:
            return f"{expected} was expected, but it is scaled: {scale(self.best.law)}"
        return self.faults[0] if self.faults else ""

    def may_be(self, expected: str) -> bool:
        """Whether the expected algorithm is among those that explain the answers of an undecided report."""
        name, _ = parse_expected(expected)
        return any(re.match(rf"{name}\b(?!-)", label) for label in (self.best.label, *self.alike))

    def to_dict(self) -> dict:
        """Everything as JSON can carry it; what is not finite is None."""
        best = self.best
        found = best and {"label": best.label, "name": best.candidate.name, "traits": list(best.candidate.traits)}
        if best and best.candidate.free:
            found["number"] = {best.candidate.free: best.number}
        if best:
            found |= {"scale": str(best.law), "residual": best.residual}
        return {
            "verdict": self.verdict,
            "status": self.status,
            "best": found,
            "alike": list(self.alike),
            "faults": list(self.faults),
            "notes": list(self.notes),
            "tolerance": self.tolerance,
            "candidates": _records(self.candidates),
            "answers": _records(self.answers),
        }

    def __str__(self) -> str:
        lines = [self.verdict, *(f"  and: {fault}" for fault in self.faults[1:]), *(f"  {note}" for note in self.notes)]
        untold = [label for label in self.alike if "<" not in label]
        if untold and self.status == "named":
            lines.append(f"  not told apart from it by these probes: {'; '.join(untold)}")
        if len(self.candidates):
            lines += ["", self.candidates.head(8).to_string(index=False, formatters={"residual": "{:.1e}".format})]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        shown = self.candidates.head(8).to_html(index=False, float_format="{:.1e}".format)
        return f"<p><b>{html.escape(self.verdict)}</b></p>{shown}"


def _records(table: pd.DataFrame) -> list[dict]:
    return table.astype(object).where(table.map(_sayable), None).to_dict("records")


def _sayable(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def scale(law: Law) -> str:
    """A scale law in words."""
    if str(law) == "1":
        return "mean over the tasks"
    if law.tasks == 1 and str(Law(law.constant, 0, law.alpha, law.steps)) == "1":
        return "sum over the tasks"
    if law.tasks == 1 and law.steps == 1 and str(Law(law.constant, 0, law.alpha)) == "1":
        return "sum over tasks and steps"
    return f"{law} times the mean over the tasks" + (", pointing uphill" if law.constant < 0 else "")


def parse_expected(text: str) -> tuple[str, float | None]:
    """The name and number of "maml" or "imaml(lambda=2)".

    Raises:
        ValueError: the text has another form, or names no algorithm.
    """
    name, _, rest = text.lower().replace(" ", "").partition("(")
    if not rest:
        free, number = "", None
    else:
        free, _, digits = rest.removesuffix(")").partition("=")
        try:
            number = float(digits) if rest.endswith(")") else math.nan
        except ValueError:
            number = math.nan
    if not name or (number is not None and math.isnan(number)) or (not rest and "(" in text):
        raise ValueError(f"expect must look like maml or imaml(lambda=2), got {text!r}")
    known = {**NAMES, "zero": ""}
    if name not in known:
        raise ValueError(f"expect must name one of {', '.join(known)}, got {text!r}")
    if free and free != known[name]:
        raise ValueError(f"{name} has no {free} to expect" + (f", only {known[name]}" if known[name] else ""))
    return name, number
