"""The record every theorem and lemma is kept in: statement, hypotheses, constants, proof and verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

import sympy as sp

from theory import symbols as s
from theory.certify import Certificate, Interval, Replay, Step
from theory.compiled import quick, quick_value
from theory.rationals import Number, exact, is_rounded

Kind = Literal["upper", "lower", "identity"]
Proof = Callable[[Replay, Mapping[str, sp.Expr]], None]

_RELATION = {"upper": sp.Le, "lower": sp.Ge, "identity": sp.Eq}
_TWO_ULP = sp.Rational(2, 2**52)
_CLEARLY = 1e-9


class OutsideDomain(ValueError):
    """A claim was evaluated where one of its hypotheses fails; the message names the hypothesis and the value."""


@dataclass(frozen=True)
class Hypothesis:
    """A condition under which a claim is stated, as code: a SymPy relational in the symbols of the theory."""

    relation: sp.Rel
    source: str

    def clear(self, point: Mapping[sp.Symbol, Fraction | float | None]) -> bool:
        """True if the relation holds exactly, or with so much room that rounding cannot matter; quick."""
        left, right = (quick_value(side, point) for side in (self.relation.lhs, self.relation.rhs))
        if not isinstance(self.relation, sp.GreaterThan | sp.StrictGreaterThan):
            left, right = right, left
        if isinstance(left, int | Fraction) and isinstance(right, int | Fraction) and not self._strict:
            return left >= right
        return bool(left > right + _CLEARLY * abs(right))

    @property
    def _strict(self) -> bool:
        return isinstance(self.relation, sp.StrictLessThan | sp.StrictGreaterThan)

    def check(self, claim: str, values: Mapping[sp.Symbol, sp.Expr], rounded: bool) -> None:
        """Raise OutsideDomain unless the relation holds; rounded input within 2 ulp of the edge counts as on it."""
        left, right = (side.subs(values) for side in (self.relation.lhs, self.relation.rhs))
        if self.relation.func(left, right) == sp.true:
            return
        if rounded and not self._strict and bool(abs(left - right) <= _TWO_ULP * max(abs(left), abs(right))):
            return
        given = ", ".join(f"{x} = {sp.N(values[x], 6)}" for x in sorted(self.relation.free_symbols, key=str))
        raise OutsideDomain(
            f"{claim} needs {plain(self.relation)} ({self.source}), but {given} make the left side "
            f"{sp.N(left, 6)} and the right side {sp.N(right, 6)}"
        )


@dataclass(frozen=True)
class Version:
    """One set of constants under which a claim's inequality is stated: the paper's, or one of ours.

    Args:
        form: the other side of the claim, with the constants as symbols c1, cF, ...
        constants: their values, exact: numbers, or functions of a = alpha L and lam = alpha^2 sigma_H^2/D_h.
        source: who states it, with the equation number; for ours, by which route it is shown.
        proof: replays the derivation; None where there is none yet.
        refutation: replays a counterexample; None where there is none.
        attained: replays an instance in which the constants are reached, or reached in the limit; None where unknown.
        lhs: the left side, where this version had to be stated for another quantity than the claim's.
    """

    form: sp.Expr
    constants: Mapping[str, sp.Expr]
    source: str
    proof: Proof | None = None
    refutation: Proof | None = None
    attained: Proof | None = None
    lhs: sp.Expr | None = None

    @cached_property
    def rhs(self) -> sp.Expr:
        """The form with its constants put in, in the symbols of the theory alone."""
        return filled(self.form, self.constants).subs(ABBREVIATIONS)

    @property
    def status(self) -> Literal["proved", "refuted", "open"]:
        """What is known of this version."""
        return "refuted" if self.refutation else "proved" if self.proof else "open"


ABBREVIATIONS = {s.a: s.alpha * s.L, s.lam: s.alpha**2 * s.sigma_H**2 / s.D_h}


def constant(name: str) -> sp.Symbol:
    """The placeholder under which a form mentions one of its constants."""
    return sp.Symbol(name, nonnegative=True)


def filled(form: sp.Expr, constants: Mapping[str, sp.Expr]) -> sp.Expr:
    """A form with values in the places of its constants."""
    return form.subs({constant(name): value for name, value in constants.items()})


@dataclass(frozen=True)
class Claim:
    """One statement of the theory, executable.

    Args:
        id: kebab-case name, stable.
        title: the statement in a few words.
        equation: the survey's number, as "(8)", or "" where the survey has none.
        source: paper and number.
        kind: "upper" (left side never exceeds), "lower", or "identity".
        lhs: the quantity the claim is about.
        domain: the hypotheses, each with its source.
        versions: from the published one to the sharpest, by name; "published" and "sharp" are always there.
        box: intervals for a and lam on the whole domain, on which the proofs run.
    """

    id: str
    title: str
    equation: str
    source: str
    kind: Kind
    lhs: sp.Expr
    domain: tuple[Hypothesis, ...]
    versions: Mapping[str, Version]
    box: Mapping[sp.Symbol, Interval] = field(default_factory=dict)

    @property
    def statement(self) -> sp.Rel:
        """The published statement as a SymPy relational."""
        return self.relation("published")

    def relation(self, which: str) -> sp.Rel:
        """The statement as a SymPy relational, with the constants of the version `which`."""
        return _RELATION[self.kind](self.left(which), self._version(which).rhs, evaluate=False)

    def slack(self, which: str) -> sp.Expr:
        """What version `which` says is not negative, in a and lam: its form less the left side, reversed if lower."""
        difference = filled(self._version(which).form, self._version(which).constants) - self.left(which)
        return -difference if self.kind == "lower" else difference

    def left(self, which: str) -> sp.Expr:
        """The left side of the version `which`: the claim's own, unless the version is about another quantity."""
        return self._version(which).lhs or self.lhs

    @property
    def published(self) -> Mapping[str, sp.Expr]:
        """The published constants by name, exact."""
        return self.versions["published"].constants

    @property
    def sharp(self) -> Mapping[str, sp.Expr]:
        """The sharpest constants shown, exact functions of a = alpha L (and lam = alpha^2 sigma_H^2/D_h)."""
        return self.versions["sharp"].constants

    def constants(self, which: str = "sharp", **at: Number) -> dict[str, sp.Expr]:
        """The constants of the version `which` at given `a` (= alpha L) and `lam`, as exact numbers.

        Args:
            which: name of the version.
            **at: values of a and lam; a constant that depends on what is not given stays a formula.

        Raises:
            KeyError: no version of that name.
            ValueError: a value is not a number.
        """
        point = {s.QUANTITIES[name].symbol: exact(value, name) for name, value in at.items()}
        return {name: sp.sympify(value).subs(point) for name, value in self._version(which).constants.items()}

    @property
    def verdict(self) -> Literal["proved", "refuted", "repaired", "open"]:
        """What is known of the published statement; `certificate` replays the evidence."""
        if self.versions["published"].refutation:
            return "repaired" if self.versions["sharp"].proof else "refuted"
        return "proved" if self.versions["published"].proof else "open"

    @property
    def needs(self) -> tuple[str, ...]:
        """The keywords `evaluate` must be given for the published version: those of its right side and its domain."""
        return self._needs("published")

    def _needs(self, which: str) -> tuple[str, ...]:
        self._version(which)
        return self._all_needs[which]

    @cached_property
    def _all_needs(self) -> dict[str, tuple[str, ...]]:
        domain = set().union(*(h.relation.free_symbols for h in self.domain))
        return {name: tuple(sorted(map(str, domain | v.rhs.free_symbols))) for name, v in self.versions.items()}

    def _version(self, which: str) -> Version:
        if which not in self.versions:
            raise KeyError(f"{self.id} has no version {which!r}: it has {', '.join(self.versions)}")
        return self.versions[which]

    def evaluate(self, which: str = "published", **values: Number) -> float:
        """The right side of the claim at given values.

        Args:
            which: "published", "sharp", or another name in `versions`.
            **values: by ASCII symbol name (`needs`). Ints, Fractions and strings such as "1/6" are exact; floats are
                taken at face value, and one within 2 ulp of the domain's edge counts as the edge. Batch sizes may be
                math.inf for exact oracles. Other symbols of the theory may be passed and are not used.

        Returns:
            The right side as a float, in the units of the left side.

        Raises:
            OutsideDomain: a hypothesis fails; it is named, with the values.
            TypeError: a keyword is missing or is no symbol of the theory.
            ValueError: a value is not a number or is negative.
        """
        point = self._point(self._needs(which), values)
        rounded = any(is_rounded(value) for value in values.values())
        near = {symbol: quick(value) for symbol, value in point.items()}
        for hypothesis in self.domain:
            if not hypothesis.clear(near):
                hypothesis.check(self.id, point, rounded)
        right = self._version(which).rhs
        value = float(quick_value(right, near))
        return float(right.subs(point)) if math.isnan(value) else value

    def margin(self, left: float, which: str = "published", **values: Number) -> float:
        """Distance to the bound as a share of it: (right - left)/right; negative means violated, for an upper claim.

        Args:
            left: the left side, in its own units.
            which, **values: as of `evaluate`.

        Raises:
            as `evaluate`.
        """
        right = self.evaluate(which, **values)
        gap = left - right if self.kind == "lower" else right - left
        return -abs(gap) / abs(right) if self.kind == "identity" else gap / right

    def _point(self, needed: tuple[str, ...], values: Mapping[str, Number]) -> dict[sp.Symbol, sp.Expr]:
        for name in values:
            if name not in s.QUANTITIES:
                known = ", ".join(needed)
                raise TypeError(f"{self.id} was given {name!r}, which is no symbol of the theory; it needs {known}")
        missing = [name for name in needed if name not in values]
        if missing:
            raise TypeError(f"{self.id} needs {', '.join(missing)} as well; all it needs is {', '.join(needed)}")
        point = {s.QUANTITIES[name].symbol: exact(values[name], name) for name in needed}
        for symbol, value in point.items():
            if (symbol.is_nonnegative and value < 0) or (symbol.is_positive and value == 0):
                raise ValueError(f"{symbol} must be {'positive' if symbol.is_positive else 'at least 0'}, got {value}")
        return point

    def certificate(self, which: str | None = None, **altered: Number) -> Certificate:
        """Replay the proofs (and refutations) step by step in exact arithmetic.

        Args:
            which: one version only; by default all that have a proof or a refutation.
            **altered: constants to put in place of the version's own, numbers or functions of a and lam, to see the
                replay fail.

        Returns:
            A Certificate; `.ok` says whether every step passed, printing shows them.

        Raises:
            KeyError: no version of that name.
            TypeError: an altered constant the version does not have.
        """
        steps: list[Step] = []
        for name in [which] if which else self.versions:
            version = self._version(name)
            unknown = set(altered) - set(version.constants)
            if unknown:
                raise TypeError(f"{self.id} ({name}) has no constant {sorted(unknown)[0]!r}")
            put = {k: v if isinstance(v, sp.Expr) else exact(v, k) for k, v in altered.items()}
            constants = {**version.constants, **put}
            for replay_of in (version.proof, version.refutation, version.attained):
                if replay_of:
                    replay = Replay(self.box)
                    replay_of(replay, constants)
                    steps += replay.steps
        return Certificate(f"{self.id} {self.equation} {which or ''}".strip(), tuple(steps))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {sp.latex(self.statement, symbol_names=s.LATEX_NAMES)}$"


def plain(relation: sp.Rel) -> str:
    """A relational as one line of ASCII."""
    return f"{relation.lhs} {relation.rel_op} {relation.rhs}"
