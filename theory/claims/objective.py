"""The meta-gradient (5): grad F(w) = E_i (I - alpha H_i) h_i, by the chain rule."""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled

FORM = constant("c") * s.exact_G


def _cubic(x: sp.Expr, y: sp.Expr, coefficients: dict[tuple[int, int], sp.Symbol]) -> sp.Expr:
    return sum(c * x**j * y**k for (j, k), c in coefficients.items())


def _chain_rule_on_cubics(replay: Replay) -> None:
    """The formula, component by component, on every cubic in two variables at w = 0."""
    x, y, alpha = sp.symbols("x y alpha", real=True)
    powers = [(j, k) for j in range(4) for k in range(4 - j) if j + k]
    coefficients = {power: sp.Symbol("c{}{}".format(*power), real=True) for power in powers}
    f = _cubic(x, y, coefficients)
    gradient = [sp.diff(f, v) for v in (x, y)]
    adapted = [v - alpha * g for v, g in zip((x, y), gradient, strict=True)]
    F = _cubic(*adapted, coefficients)
    origin = {x: 0, y: 0}
    h = [g.subs(dict(zip((x, y), adapted, strict=True)), simultaneous=True).subs(origin) for g in gradient]
    for row, v in enumerate((x, y)):
        factor = [sp.Integer(row == column) - alpha * sp.diff(g, v).subs(origin) for column, g in enumerate(gradient)]
        difference = sp.diff(F, v).subs(origin) - sum(m * z for m, z in zip(factor, h, strict=True))
        replay.derive(f"component {row + 1} on all cubics in the plane", difference, {})


def _proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    _chain_rule_on_cubics(replay)
    replay.given("not above", s.exact_G - s.grad_F, "chain rule", "D(w - alpha grad f_i) = I - alpha H_i, symmetric")
    replay.given("not below", s.grad_F - s.exact_G, "chain rule")
    difference = filled(FORM, constants) - s.grad_F
    replay.derive("statement, not above", difference, {"not above": 1}, plus=[(constants["c"] - 1) * s.exact_G])
    replay.derive("statement, not below", -difference, {"not below": 1}, plus=[(1 - constants["c"]) * s.exact_G])


CLAIMS = (
    Claim(
        id="objective-gradient",
        title="The meta-gradient by the chain rule",
        equation="(5)",
        source="survey (5)",
        kind="identity",
        lhs=s.grad_F,
        domain=(domains.INNER_STEP_SMOOTH,),
        versions={
            "published": Version(FORM, {"c": sp.Integer(1)}, "survey (5)", _proof),
            "sharp": Version(FORM, {"c": sp.Integer(1)}, "an identity", _proof),
        },
        box={s.a: (sp.Integer(0), sp.Integer(1))},
    ),
)
