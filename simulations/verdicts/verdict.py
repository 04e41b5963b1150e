"""The unit of the product: one claim decided in one cell, on stated evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import sympy as sp
from flint import arb

from simulations.guarded import enclosed, ends
from simulations.markup import table
from simulations.verdicts import local, trajectory
from simulations.verdicts.cell import GIVEN, Cell
from simulations.verdicts.key import written
from theory import CLAIMS
from theory import symbols as s
from theory.claim import Claim, OutsideDomain

Status = Literal["HOLDS", "VIOLATED", "UNDECIDED", "NOT_APPLICABLE", "ERROR"]
SEVERITY = ("ERROR", "VIOLATED", "UNDECIDED", "HOLDS", "NOT_APPLICABLE")
_EQUAL = 1e-8


@dataclass(frozen=True)
class Verdict:
    """What was decided.

    status: HOLDS, VIOLATED, UNDECIDED, NOT_APPLICABLE (a hypothesis fails) or ERROR (a side is not a number).
    evidence: "symbolic" (a certificate that replays), "interval" (Arb balls), "exact" (closed forms, finite sums,
        quadrature, with room for rounding), or "" where nothing was decided.
    lhs, rhs: the guarded ends of the two sides, those that speak against the claim.
    slack: rhs/lhs for an upper claim, lhs/rhs for a lower one: above 1 the claim holds with this room.
    reason: which hypothesis fails, or why nothing could be decided.
    cell: from which `key` is made.
    """

    status: Status
    evidence: str
    lhs: float
    rhs: float
    slack: float
    reason: str
    cell: Cell

    @cached_property
    def key(self) -> str:
        """Reproduces the cell exactly: `replay(key)`. It carries all parameters."""
        return written(self.cell)

    @property
    def replayable(self) -> str | None:
        """The key; None where no key can name the claim or build the family again."""
        try:
            return self.key
        except ValueError:
            return None

    @property
    def ratio(self) -> float:
        """How near the claim is to failing, 1/slack; infinite where the slack is not positive."""
        return 1 / self.slack if self.slack > 0 else math.inf

    @property
    def expected(self) -> bool:
        """Whether the theory allows it: a proved version may not be violated, and nothing may be an error."""
        refuted = self.cell.claim.versions[self.cell.version].status == "refuted"
        return self.status != "ERROR" and (self.status != "VIOLATED" or refuted or self.cell.dropped is not None)

    def row(self) -> dict[str, object]:
        """The verdict as one row of a table; numbers that are not there are None."""
        sides = {name: getattr(self, name) for name in ("lhs", "rhs", "slack")}
        return {
            "claim": self.cell.claim.id,
            "version": self.cell.version,
            "family": self.cell.family.name,
            "status": self.status,
            "evidence": self.evidence,
            **{name: value if math.isfinite(value) else None for name, value in sides.items()},
            "expected": self.expected,
            "reason": self.reason,
            "key": self.replayable,
        }

    def _repr_html_(self) -> str:
        """Status, evidence, both sides and the slack, with the reason where there is one."""
        sides = [f"{side:.6g}" if math.isfinite(side) else "" for side in (self.lhs, self.rhs, self.slack)]
        heads = ("claim", "version", "family", "status", "evidence", "lhs", "rhs", "slack", "reason")
        cell = self.cell
        return table(
            heads, [(cell.claim.id, cell.version, cell.family.name, self.status, self.evidence, *sides, self.reason)]
        )

    def __str__(self) -> str:
        sides = f"lhs {self.lhs:.6g}, rhs {self.rhs:.6g}, slack {self.slack:.6g}" if self.evidence else self.reason
        kind = f" ({self.evidence})" if self.evidence else ""
        return f"{self.cell.claim.id} [{self.cell.version}] on {self.cell.family.name}: {self.status}{kind}: {sides}"


def undecided(cell: Cell, reason: str, status: Status = "UNDECIDED") -> Verdict:
    """A verdict without evidence."""
    return Verdict(status, "", math.nan, math.nan, math.nan, reason, cell)


def decided(cell: Cell, given: Mapping[str, arb], measured: Mapping[str, arb], evidence: str) -> Verdict:
    """Hold the claim against quantities enclosed in balls.

    Args:
        cell: what is asked.
        given: the constants, steps and batch sizes, by name.
        measured: the quantities of the claim that are not given, by name.
        evidence: how they were found.
    """
    values = {s.QUANTITIES[name].symbol: value for name, value in (given | measured).items()}
    for name, value in measured.items():
        if value.is_nan():
            return undecided(cell, f"{name} is not a number", "ERROR")
    reason = outside(cell, measured)
    if reason:
        return undecided(cell, reason, "NOT_APPLICABLE")
    claim, version = cell.claim, cell.claim.versions[cell.version]
    left, right = enclosed(claim.left(cell.version), values), enclosed(version.rhs, values)
    if left.is_nan() or right.is_nan():
        return undecided(cell, "a side is not a number", "ERROR")
    return _compared(cell, left, right, evidence)


def _compared(cell: Cell, left: arb, right: arb, evidence: str) -> Verdict:
    if cell.claim.kind == "identity":
        apart, room = abs(left - right), _EQUAL * left.max(right)
        status = "VIOLATED" if apart > room else "HOLDS" if apart <= room else "UNDECIDED"
        lhs, rhs, slack = float(left), float(right), 1.0
    else:
        order = 1 if cell.claim.kind == "upper" else -1
        below, above = (left, right)[::order]
        status = "HOLDS" if below <= above else "VIOLATED" if below > above else "UNDECIDED"
        against = (1, 0) if status != "VIOLATED" else (0, 1)
        less, more = (ends(side)[end] for side, end in zip((below, above), against, strict=True))
        slack = more / less if less > 0 else math.inf
        lhs, rhs = (less, more)[::order]
    reason = "the two sides agree to within their guards" if status == "UNDECIDED" else ""
    return Verdict(status, evidence, lhs, rhs, slack, reason, cell)


def symbolic(cell: Cell) -> Verdict:
    """The certificate of the version, replayed: the way for claims that speak of what no instance shows."""
    status, ok = cell.claim.versions[cell.version].status, _replays(cell.claim, cell.version)
    if status == "open" or not ok:
        reason = "the version is open" if status == "open" else "its certificate does not replay"
        return undecided(cell, reason, "UNDECIDED" if status == "open" else "ERROR")
    found = "HOLDS" if status == "proved" else "VIOLATED"
    return Verdict(found, "symbolic", math.nan, math.nan, math.nan, "by its certificate, on no instance", cell)


_REPLAYED: dict[tuple[str, str], bool] = {}


def _replays(claim: Claim, version: str) -> bool:
    if CLAIMS.get(claim.id) is not claim:
        return claim.certificate(version).ok
    if (claim.id, version) not in _REPLAYED:
        _REPLAYED[claim.id, version] = claim.certificate(version).ok
    return _REPLAYED[claim.id, version]


def outside(cell: Cell, measured: Mapping[str, arb]) -> str:
    """The first hypothesis that fails, of those whose values are all there, with the values; "" if none does.

    With measured quantities only the hypotheses that speak of them are asked: the others were before.
    """
    seen = {s.QUANTITIES[name].symbol: float(value) for name, value in measured.items()}
    near = cell.quickly | seen
    for hypothesis in cell.hypotheses:
        spoken = hypothesis.relation.free_symbols
        if not spoken <= near.keys() or (seen and not spoken & seen.keys()) or hypothesis.clear(near):
            continue
        try:
            point = cell.exactly | {symbol: sp.Rational(value) for symbol, value in seen.items()}
            hypothesis.check(cell.claim.id, point, rounded=True)
        except OutsideDomain as failure:
            return str(failure)
    return ""


def symbols_of(claim: Claim, version: str) -> set[str]:
    """All symbols of a claim: its two sides and its hypotheses."""
    free = claim.left(version).free_symbols | claim.versions[version].rhs.free_symbols
    free |= set().union(*(hypothesis.relation.free_symbols for hypothesis in claim.domain))
    return {symbol.name for symbol in free}


def unseen(claim: Claim, version: str) -> set[str]:
    """The symbols of which no instance here can show the value."""
    return symbols_of(claim, version) - GIVEN - set(local.QUANTITIES) - set(trajectory.QUANTITIES)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The one that says most against the claim."""
    return min(verdicts, key=lambda v: (SEVERITY.index(v.status), v.slack if v.slack == v.slack else math.inf))
