"""Proofs of what `simulations.shape` says of a psi: sup|psi''|, sup|psi'''|, and how far shifts may go.

The derivatives of psi are a positive function times a polynomial, so their critical points are roots of polynomials,
isolated exactly; a supremum is the largest value at a critical point or at infinity, to 40 digits.

Shifts. Say psi''(0) > 0 (else take -psi). Suppose psi'' decreases on [0, tau], vanishes on t >= 0 only at t_0 < tau, is
least at tau, and |psi''(tau)| t_0 <= psi'(t_0). For 0 < theta <= t_0 and t >= 0 let D(t) be half the integral of psi''
over [t - theta, t + theta]. While |t - theta| < t_0, D decreases: D'(t) = (psi''(t + theta) - psi''(t - theta))/2, and
either t + theta <= tau, where |t - theta| <= t + theta settles it, or psi''(t + theta) < 0 < psi''(t - theta). From
t = theta + t_0 on, psi'' is negative on the window, so 0 >= D >= -theta |psi''(tau)| >= -theta psi'(t_0)/t_0, which is
at least -psi'(theta), psi' being concave on [0, t_0]. So |D(t)| <= D(0) = psi'(theta) everywhere.
"""

from __future__ import annotations

import math

import sympy as sp

from theory.certify import Certificate, Step

_DIGITS = 40
ROUNDING = 2.0**-49

t = sp.Symbol("t", real=True)


def by_critical_points(
    psi: sp.Expr,
    weight: sp.Expr,
    base: sp.Expr,
    bend: float,
    jerk: float,
    steepest: float,
) -> Certificate:
    """Proof for a psi whose slope is weight / base times a polynomial, as then every derivative of it is.

    If psi^(k) = weight P_k / base^k, then P_(k+1) = base P_k' + (base weight'/weight - k base') P_k.

    Args:
        psi, weight, base: in the symbol `t`, with exact numbers; weight and base positive, base a polynomial, and base
            times the derivative of log weight too.
        bend, jerk, steepest: sup|psi''|, sup|psi'''| and t_0 as the family uses them.
    """
    polynomials = [sp.Integer(0), sp.cancel(sp.powsimp(sp.diff(psi, t) * base / weight))]
    growth = sp.cancel(base * sp.diff(sp.log(weight), t))
    for k in (1, 2, 3):
        last = polynomials[k]
        polynomials.append(sp.expand(base * sp.diff(last, t) + (growth - k * sp.diff(base, t)) * last))
    roots = [_roots(polynomial) for polynomial in polynomials]
    upward = sp.sign(polynomials[2].subs(t, 0))
    orders = [upward * weight * P / base**k for k, P in enumerate(polynomials)]
    positive = [root for root in roots[3] if root > 0]
    t_0, tau = (([*found, sp.nan])[0] for found in ([root for root in roots[2] if root > 0], positive))
    steps = [
        Step("psi is even", sp.Integer(0), "its odd part vanishes", sp.simplify(psi.subs(t, -t) - psi) == 0),
        _supremum("sup|psi''|", orders[2], roots[3], bend),
        equal("sup|psi''| is at 0", abs(orders[2].subs(t, 0)), bend),
        _supremum("sup|psi'''|", orders[3], roots[4], jerk),
        equal("|psi'| peaks at t_0", t_0, steepest),
        Step("psi'' has one zero beyond 0", t_0, "roots of a polynomial", len(roots[2]) == 2),
        Step("psi'' has one critical point beyond 0", tau, "roots of a polynomial", len(roots[3]) == 3),
        Step("t_0 < tau", tau - t_0, "exact roots", bool(tau > t_0)),
        Step("psi'' decreases on [0, tau]", -orders[3], "one sign between roots", orders[3].subs(t, tau / 2) < 0),
        no_less("psi'' is least at tau", orders[2].subs(t, tau), -bend),
        no_less("|psi''(tau)| t_0 <= psi'(t_0)", orders[1].subs(t, t_0) + orders[2].subs(t, tau) * t_0, 0),
    ]
    return Certificate(f"psi = {psi}", tuple(steps))


def of_the_cosine() -> Certificate:
    """Proof for 1 - cos t, whose D(t) is cos(t) sin(theta)."""
    psi, theta = 1 - sp.cos(t), sp.Symbol("theta", real=True)
    second, third, slope = sp.diff(psi, t, 2), sp.diff(psi, t, 3), sp.diff(psi, t)
    window = (slope.subs(t, t + theta) - slope.subs(t, t - theta)) / 2
    steps = [
        _identity("psi''^2 + psi'''^2 = 1", second**2 + third**2 - 1),
        equal("psi''(0) = 1", second.subs(t, 0), 1.0),
        equal("|psi'''(pi/2)| = 1", abs(third.subs(t, sp.pi / 2)), 1.0),
        _identity("D(t) = cos(t) sin(theta)", window - sp.cos(t) * sp.sin(theta)),
        equal("psi'(pi/2) = 1, and psi' is at most 1", slope.subs(t, sp.pi / 2), 1.0),
    ]
    return Certificate(f"psi = {psi}", tuple(steps))


def of_the_ramp() -> Certificate:
    """Proof for softplus(-t): with y = tanh(t/2), psi'' = (1 - y^2)/4 and psi''' = -y (1 - y^2)/4, y in (-1, 1)."""
    y = sp.Symbol("y", real=True)
    as_y = {sp.exp(-t): (1 - y) / (1 + y)}
    orders = [sp.cancel(sp.diff(sp.log(1 + sp.exp(-t)), t, k).subs(as_y)) for k in (2, 3)]
    steps = []
    for order, formula, declared in zip(
        orders, ((1 - y**2) / 4, -y * (1 - y**2) / 4), (1 / 4, 1 / (6 * math.sqrt(3))), strict=True
    ):
        points = [root for root in sp.real_roots(sp.Poly(sp.diff(formula, y), y)) if abs(root) < 1]
        largest = max(abs(formula.subs(y, point)) for point in [*points, -1, 1])
        steps.append(_identity(f"a derivative of softplus(-t) is {formula}", order - formula))
        steps.append(equal("its largest absolute value", largest, declared))
    return Certificate("psi = log(1 + exp(-t))", tuple(steps))


def equal(name: str, value: sp.Expr, declared: float) -> Step:
    """A number computed in floats is the exact one, up to rounding."""
    return Step(name, value - declared, f"to {_DIGITS} digits, up to rounding", _same(sp.N(value, _DIGITS), declared))


def no_less(name: str, value: sp.Expr, least: sp.Expr) -> Step:
    """A strict inequality between two numbers."""
    return Step(name, value - least, f"to {_DIGITS} digits", bool(sp.N(value - least, _DIGITS) > 0))


def _roots(expression: sp.Expr) -> list[sp.Expr]:
    """All real roots of an expression that is a polynomial in t, in order, each once."""
    found = sp.real_roots(sp.Poly(expression, t)) if expression else []
    return sorted(set(found), key=lambda root: sp.N(root, _DIGITS))


def _supremum(name: str, function: sp.Expr, critical: list[sp.Expr], declared: float) -> Step:
    """sup|function| over the line is `declared`, given all critical points."""
    ends = [abs(sp.limit(function, t, end)) for end in (sp.oo, -sp.oo)]
    values = [abs(sp.N(function.subs(t, point), _DIGITS)) for point in critical]
    largest = max([*values, *ends])
    ground = f"critical points {', '.join(map(str, critical))}, to {_DIGITS} digits"
    return Step(f"{name} = {declared!r}", largest - declared, ground, _same(largest, declared))


def _identity(name: str, difference: sp.Expr) -> Step:
    return Step(name, difference, "identity", sp.simplify(sp.expand_trig(difference)) == 0)


def _same(value: sp.Expr, declared: float) -> bool:
    return bool(abs(value / sp.Rational(*float(declared).as_integer_ratio()) - 1) <= ROUNDING)
