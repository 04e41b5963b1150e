"""iMAML: the implicit meta-gradient and what an inexact inner solution costs (Rajeswaran et al.).

phi* = argmin f_i(phi) + (lambda/2)||phi - w||^2, A(phi) = I + Hess f_i(phi)/lambda, d f_i(phi*)/dw = A(phi*)^{-1} grad
f_i(phi*). All that is symmetric here is a function of one Hessian, so the identity is stated on an eigenvector of it.

* imaml-gradient. The stationary point grad f_i(phi*) + lambda (phi* - w) = 0, differentiated in w.
* imaml-error. The published factor 2 pays for the inverse at phi when strong convexity is known at phi* alone, and
  needs delta < mu/(2 rho). Where the inner problem is mu-strongly convex at phi too, ||A(phi)^{-1}|| <= lambda/mu and
  the factor is 1 with no condition on delta. Then nothing can be lowered: a task in one dimension with f' = B_1,
  f'' = -L and f''' = rho at phi*, mu = lambda - L, reaches both constants as delta tends to 0.
"""

import sympy as sp

from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Hypothesis, Version, constant, filled

SLOPE = constant("c") / (1 + s.curvature / s.reg)
ONE = {"c": sp.Integer(1)}

ERROR = (
    constant("cB") * s.reg * s.rho * s.slope_bound / s.mu**2 + constant("cL") * s.reg * s.L / s.mu
) * s.inner_error + constant("cd") * s.solve_error
PUBLISHED = {"cB": sp.Integer(2), "cL": sp.Integer(1), "cd": sp.Integer(1)}
SHARP = PUBLISHED | {"cB": sp.Integer(1)}


def _slope(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    w, x = sp.symbols("w x", real=True)
    f, phi = sp.Function("f"), sp.Function("phi")
    stationary = (sp.diff(f(x), x) + s.reg * (x - w)).subs(x, phi(w))
    change = sp.diff(stationary, w).doit()
    names = {sp.diff(phi(w), w): s.prox_slope, sp.diff(f(x), x, 2).subs(x, phi(w)): s.curvature}
    linear = change.subs(names)
    text = "the stationary point, differentiated in w along an eigenvector of the Hessian"
    replay.given("it stays stationary, from above", linear, "chain rule", text)
    replay.given("it stays stationary, from below", -linear, "chain rule", text)
    stiff = sp.Symbol("lambda+eta", positive=True)
    replay.given("the inner problem is strongly convex", stiff, "domain", "lambda > L >= -eta")
    replay.define(s.curvature, stiff - s.reg)
    right = filled(SLOPE, constants)
    replay.derive("statement, not above", right - s.prox_slope, {"it stays stationary, from below": 1 / stiff})
    replay.derive("statement, not below", s.prox_slope - right, {"it stays stationary, from above": 1 / stiff})


_inverse, _inverse_star, _g, _g_step, _A_step, _error = sp.symbols(
    "||A(phi)^-1|| ||A(phi*)^-1|| ||grad_f_i(phi)|| ||grad_f_i(phi)-grad_f_i(phi*)|| ||A(phi)-A(phi*)|| error",
    nonnegative=True,
)


def _state(replay: Replay, constants: dict[str, sp.Expr], shown: dict[str, sp.Expr], inverse: sp.Expr) -> None:
    """Concludes from "inverse": ||A(phi)^{-1}|| <= inverse."""
    reg, delta, star = s.reg, s.inner_error, s.reg / s.mu
    text = "A*^-1 (g - g*) + A^-1 (A* - A) A*^-1 g, with g = grad f_i(phi) and stars at phi*"
    replay.given("split", _inverse_star * _g_step + _inverse * _A_step * _inverse_star * _g - _error, "triangle", text)
    replay.given("inverse at phi*", star - _inverse_star, "domain", "Hess f_i + lambda I >= mu I at phi*")
    replay.given("gradients", s.L * delta - _g_step, "smoothness")
    replay.given("Hessians", s.rho * delta / reg - _A_step, "Hessian-Lipschitz")
    replay.given("slope", s.slope_bound - _g, "domain", "f_i is B_1-Lipschitz")
    replay.given("solve", s.solve_error + _error - s.implicit_error, "triangle")
    replay.derive(
        "exact solve",
        (inverse * star * s.rho / reg * s.slope_bound + star * s.L) * delta - _error,
        {
            "split": 1,
            "gradients": _inverse_star,
            "inverse at phi*": s.L * delta + _inverse * _A_step * _g,
            "inverse": _A_step * star * _g,
            "Hessians": inverse * star * _g,
            "slope": inverse * star * s.rho * delta / reg,
        },
    )
    terms = {
        "cB": reg * s.rho * s.slope_bound / s.mu**2 * delta,
        "cL": reg * s.L / s.mu * delta,
        "cd": s.solve_error,
    }
    replay.derive(
        "statement",
        filled(ERROR, constants) - s.implicit_error,
        {"solve": 1, "exact solve": 1},
        plus=[(constants[name] - shown[name]) * term for name, term in terms.items()],
    )


def _convex_at_the_minimiser(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.given("near", s.mu - 2 * s.rho * s.inner_error, "domain")
    text = "Hess f_i(phi) + lambda I >= (mu - rho delta) I"
    replay.given("Weyl", s.reg - _inverse * (s.mu - s.rho * s.inner_error), "Hessian-Lipschitz", text)
    replay.derive("inverse", 2 * s.reg / s.mu - _inverse, {"Weyl": 2 / s.mu, "near": _inverse / s.mu})
    _state(replay, constants, PUBLISHED, 2 * s.reg / s.mu)


def _convex_at_both(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.given("inverse", s.reg / s.mu - _inverse, "domain", "Hess f_i + lambda I >= mu I at phi too")
    _state(replay, constants, SHARP, s.reg / s.mu)


def _reached(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """f' = B_1 - L x + rho x^2/2 on [0, delta], phi* = 0, phi = delta, lambda = mu + L; the solver errs by delta'."""
    delta, mu, L, rho, top = s.inner_error, s.mu, s.L, s.rho, s.slope_bound
    exact = top / mu
    there = (top - L * delta + rho * delta**2 / 2) / (mu + rho * delta)
    text = "all signs agree: f' falls, f'' + lambda rises, and the solver's error adds"
    slack = s.implicit_error - (mu + L) * (exact - there) - s.solve_error
    replay.given("its error", slack, "instance", text)
    bound = filled(ERROR, constants).subs(s.reg, mu + L)
    second_order = (mu + L) * rho * (rho * top / mu**3 + L / mu**2 + 1 / (2 * mu)) * delta**2
    left = (mu + L) * (exact - there) + s.solve_error - bound + second_order
    replay.check("not below the bound but for delta^2", left)
    replay.derive(
        "reached as delta tends to 0",
        s.implicit_error - bound + second_order,
        {"its error": 1, "not below the bound but for delta^2": 1},
    )


CLAIMS = (
    Claim(
        id="imaml-gradient",
        title="Slope of the inner minimiser phi* as w moves along an eigenvector of the Hessian",
        equation="",
        source="Rajeswaran et al. (6)",
        kind="identity",
        lhs=s.prox_slope,
        domain=(Hypothesis(sp.Gt(s.reg, s.L), "so that the inner problem is strongly convex under A2"),),
        versions={
            "published": Version(SLOPE, ONE, "Rajeswaran et al. (6)", _slope),
            "sharp": Version(SLOPE, ONE, "an identity", _slope),
        },
    ),
    Claim(
        id="imaml-error",
        title="Error of the implicit meta-gradient when the inner problem and the linear system are solved inexactly",
        equation="",
        source="Rajeswaran et al. Lemma 3",
        kind="upper",
        lhs=s.implicit_error,
        domain=(Hypothesis(sp.Gt(s.mu, 2 * s.rho * s.inner_error), "Rajeswaran et al. Lemma 3"),),
        versions={
            "published": Version(
                ERROR, PUBLISHED, "Rajeswaran et al. Lemma 3, with strong convexity at phi*", _convex_at_the_minimiser
            ),
            "sharp": Version(ERROR, SHARP, "ours: strong convexity at phi as well", _convex_at_both, attained=_reached),
        },
    ),
)
