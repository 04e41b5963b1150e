"""The explorer of the page: bounds, ladder and plan as JavaScript, printed from the claims' own SymPy expressions.

Nothing here is a formula. The right sides, hypotheses and plan come from `theory`; the printed text uses only names,
numbers, + - * /, Math.max, Math.min, Math.sqrt, Math.pow, ceil and floor, so that Python can evaluate it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from sympy.printing.jscode import JavascriptCodePrinter

from figures.report.formula import formula, mathml
from theory import CLAIMS, domains
from theory import symbols as s
from theory.claim import Claim, Hypothesis, Version, plain
from theory.claims.hessian_free import DIFFERENCE
from theory.sharpening.closed_form import SAMPLES, STEPS

SHOWN = (
    "first-moment",
    "second-moment",
    "bias",
    "noise-floor",
    "iteration-bound",
    "iteration-bound-lower-exact",
    "iteration-bound-lower-random",
    "fo-maml-rate",
    "hf-maml-rate",
)
LADDER = ("iteration-bound", "iteration-bound-lower-exact", "iteration-bound-lower-random")
PLANNED = ("published", "sharp")
FLOORS = {which: version.constants["c"] for which, version in CLAIMS["noise-floor"].versions.items()}


@dataclass(frozen=True)
class Input:
    """A slider: its range on a logarithmic scale; zero or infinity may lie beyond an end."""

    symbol: sp.Symbol
    default: str
    low: float
    high: float
    zero: bool = False
    whole: bool = False

    def record(self) -> dict:
        """As JSON."""
        quantity = s.QUANTITIES[self.symbol.name]
        return {
            "name": self.symbol.name,
            "label": mathml(quantity.latex),
            "meaning": quantity.meaning,
            "default": self.default,
            "low": self.low,
            "high": self.high,
            "zero": self.zero,
            "whole": self.whole,
            "positive": bool(self.symbol.is_positive),
        }


INPUTS = (
    Input(s.L, "1", 1e-2, 1e2),
    Input(s.rho, "1", 1e-2, 1e2, zero=True),
    Input(s.alpha, "1/10", 1e-3, 10, zero=True),
    Input(s.sigma, "1/20", 1e-3, 10, zero=True),
    Input(s.sigma_tilde, "1/20", 1e-3, 10, zero=True),
    Input(s.sigma_H, "1/5", 1e-3, 10, zero=True),
    Input(s.eps, "1/5", 1e-3, 10),
    Input(s.Delta, "1", 1e-3, 1e3, zero=True),
    Input(s.B, "20", 1, 1e4, whole=True),
    Input(s.D_in, "20", 1, 1e4, whole=True),
    Input(s.D_o, "20", 1, 1e4, whole=True),
    Input(s.D_h, "1", 1, 1e4, whole=True),
)

# What a claim needs beside the inputs: a point where the norm is the target, the smallest batches of the step, and
# as many iterations as the published bound asks for.
DERIVED = {
    s.grad_F: s.eps,
    s.B_step: STEPS[s.B_step],
    s.D_step: STEPS[s.D_step],
    s.T: sp.Max(1, sp.ceiling(CLAIMS["iteration-bound"].relation("published").rhs)),
    s.zeta: sp.Min(DIFFERENCE.relation.rhs, 1 / sp.sqrt(s.B)),
}


class _Printer(JavascriptCodePrinter):
    def _print_ceiling(self, expr: sp.ceiling) -> str:
        return f"ceil({self._print(expr.args[0])})"

    def _print_floor(self, expr: sp.floor) -> str:
        return f"floor({self._print(expr.args[0])})"


_PRINTER = _Printer()


@dataclass(frozen=True)
class Formula:
    """One expression of the page under its key."""

    key: str
    expression: sp.Expr

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols it needs, by ASCII name."""
        return tuple(sorted(symbol.name for symbol in self.expression.free_symbols))

    @property
    def text(self) -> str:
        """The expression in JavaScript."""
        return _PRINTER.doprint(self.expression)

    @property
    def function(self) -> str:
        """The expression in JavaScript, as a function of an object that holds the symbols."""
        return f"({{{', '.join(self.names)}}}) => {self.text}"


def claims() -> list[Claim]:
    """The claims shown."""
    return [CLAIMS[claim_id] for claim_id in SHOWN]


def formulas() -> Iterator[Formula]:
    """Every formula the page computes."""
    for symbol, expression in DERIVED.items():
        yield Formula(f"given/{symbol.name}", expression)
    for symbol, expression in STEPS.items():
        yield Formula(f"plan/{symbol.name}", expression)
    yield Formula("samples", SAMPLES)
    for which, c in FLOORS.items():
        yield Formula(f"floor/{which}", domains.noise_floor(c))
    for which in PLANNED:
        yield Formula(f"total/{which}", sp.floor(CLAIMS["iteration-bound"].relation(which).rhs) * SAMPLES)
    for claim in claims():
        for which in claim.versions:
            yield Formula(f"{claim.id}/{which}", claim.relation(which).rhs)
    for number, hypothesis in enumerate(hypotheses()):
        yield Formula(f"left/{number}", hypothesis.relation.lhs)
        yield Formula(f"right/{number}", hypothesis.relation.rhs)


def hypotheses() -> list[Hypothesis]:
    """All hypotheses of the claims shown, each once."""
    return list(dict.fromkeys(hypothesis for claim in claims() for hypothesis in claim.domain))


def script() -> str:
    """FORMULAS and DATA as JavaScript source."""
    functions = ",\n".join(f"{json.dumps(formula.key)}: {formula.function}" for formula in formulas())
    return f"const FORMULAS = {{\n{functions}\n}};\nconst DATA = {_safe(json.dumps(_data(), indent=1))};\n"


def _safe(text: str) -> str:
    """JSON that no end tag can leave."""
    return text.replace("</", "<\\/")


def _data() -> dict:
    known = hypotheses()
    return {
        "inputs": [each.record() for each in INPUTS],
        "given": [_named(symbol) for symbol in DERIVED],
        "plan": [_named(symbol) for symbol in STEPS if symbol.name in s.QUANTITIES],
        "planned": list(PLANNED),
        "ladder": list(LADDER),
        "floors": {which: float(c) for which, c in FLOORS.items()},
        "hypotheses": [_hypothesis(each) for each in known],
        "claims": [_claim(claim, known) for claim in claims()],
    }


def _named(symbol: sp.Symbol) -> dict:
    quantity = s.QUANTITIES[symbol.name]
    return {"name": symbol.name, "label": mathml(quantity.latex), "meaning": quantity.meaning}


def _hypothesis(hypothesis: Hypothesis) -> dict:
    relation = hypothesis.relation
    return {
        "text": plain(relation),
        "source": hypothesis.source,
        "operator": relation.rel_op,
        "symbols": sorted(symbol.name for symbol in relation.free_symbols),
    }


def _claim(claim: Claim, known: list[Hypothesis]) -> dict:
    return {
        "id": claim.id,
        "equation": claim.equation,
        "title": claim.title,
        "kind": claim.kind,
        "left": formula(claim.lhs),
        "domain": [known.index(hypothesis) for hypothesis in claim.domain],
        "versions": {
            which: {
                "status": version.status,
                "source": version.source,
                "statement": formula(claim.relation(which)),
                "K": _leading(version),
            }
            for which, version in claim.versions.items()
        },
    }


def _leading(version: Version) -> float | None:
    """K of (14), or of a lower bound, where a version has it."""
    found = next((version.constants[name] for name in ("K", "cL") if name in version.constants), None)
    return None if found is None else float(found)
