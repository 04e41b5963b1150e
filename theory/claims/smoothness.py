"""Smoothness of the meta-objective F, with a constant that grows with the task gradients at one of the two points.

Route: with h = grad f_i at the adapted point, the change of grad F_i from u to w is
(I - alpha H(u))(h(w) - h(u)) - alpha (H(w) - H(u)) h(w). FMO Lemma 4.9 rounds 1 + a up to 2.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled

FORM = (constant("cL") * s.L + constant("cg") * s.rho * s.alpha * s.mean_grad) * s.distance
SHARP = {"cL": (1 + s.a) ** 2, "cg": 1 + s.a}

_change, _g, _h, _h_off, _h_step, _g_step, _x_step, _H_step, _factor = sp.symbols(
    "change_i ||g_i(w)|| ||h_i(w)|| ||h_i-g_i|| ||h_i(w)-h_i(u)|| ||g_i(w)-g_i(u)|| ||x_i(w)-x_i(u)|| "
    "||H_i(w)-H_i(u)|| ||I-alpha*H_i(u)||",
    nonnegative=True,
)


def lipschitz(replay: Replay) -> None:
    """Adds the step "Lipschitz": the bound with the sharp constants."""
    L, rho, a, r = s.L, s.rho, s.a, s.distance
    alpha = a / L
    replay.given("split", _factor * _h_step + alpha * _H_step * _h - _change, "triangle")
    replay.given("factor", 1 + a - _factor, "smoothness")
    replay.given("adapted points", r + alpha * _g_step - _x_step, "triangle", "x_i = w - alpha g_i(w)")
    replay.given("gradients", L * r - _g_step, "smoothness")
    replay.given("adapted gradients", L * _x_step - _h_step, "smoothness")
    replay.given("Hessians", rho * r - _H_step, "Hessian-Lipschitz")
    replay.given("h near g", _g + _h_off - _h, "triangle")
    replay.given("inner step", L * alpha * _g - _h_off, "smoothness", "||x_i - w|| = alpha ||g_i||")
    replay.derive(
        "one task",
        ((1 + a) ** 2 * L + (1 + a) * rho * alpha * _g) * r - _change,
        {
            "split": 1,
            "factor": _h_step,
            "adapted gradients": 1 + a,
            "adapted points": (1 + a) * L,
            "gradients": (1 + a) * a,
            "Hessians": alpha * _h,
            "h near g": alpha * rho * r,
            "inner step": alpha * rho * r,
        },
    )
    mean = sp.Symbol("E_i change_i", nonnegative=True)
    replay.expect("all tasks", "one task", {_change: mean, _g: s.mean_grad})
    replay.given("mean of tasks", mean - s.grad_F_change, "Jensen", "grad F = E_i grad F_i")
    slack = filled(FORM, SHARP).subs(s.alpha, alpha) - s.grad_F_change
    replay.derive("Lipschitz", slack, {"all tasks": 1, "mean of tasks": 1})


def room(constants: dict[str, sp.Expr]) -> sp.Expr:
    """What the form with `constants` has over the one with the sharp constants."""
    more = {name: constants[name] - SHARP[name] for name in SHARP}
    return filled(FORM, more).subs(s.alpha, s.a / s.L)


def _proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    lipschitz(replay)
    slack = filled(FORM, constants).subs(s.alpha, s.a / s.L) - s.grad_F_change
    replay.derive("statement", slack, {"Lipschitz": 1}, plus=[room(constants)])


def _attained(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    """One task on a line: f'' = -L left of w, rising at slope rho to the right; u = w + d, and all at scale L = 1."""
    a, rho, h, d = s.a, *sp.symbols("rho*alpha h d", nonnegative=True)
    slope = -d + rho * d**2 / 2
    shift = d - a * slope.subs(rho, rho / a)
    before, after = (1 + a) * h, (1 + a - rho * d) * (h - shift)
    bound = (constants["cL"] + constants["cg"] * rho * h / (1 + a)) * d
    smaller = ((1 + a) * rho / 2 + rho * (1 + a)) * d**2
    replay.given("near", 0 * d, "instance", "g = h/(1 + a) > 0, so the adapted points lie left of w, where f'' = -L")
    replay.check("the ratio tends to the bound as d -> 0", sp.expand(before - after - bound + smaller))


CLAIMS = (
    Claim(
        id="smoothness",
        title="Lipschitz bound on the meta-gradient, with a constant that depends on the point",
        equation="",
        source="FMO Lemma 4.9; used in survey (9)",
        kind="upper",
        lhs=s.grad_F_change,
        domain=(domains.INNER_STEP_SMOOTH,),
        versions={
            "published": Version(FORM, {"cL": sp.Integer(4), "cg": sp.Integer(2)}, "FMO Lemma 4.9", _proof),
            "sharp": Version(
                FORM, SHARP, "ours: FMO's route without rounding 1 + a up to 2", _proof, attained=_attained
            ),
        },
        box={s.a: (sp.Integer(0), sp.Integer(1))},
    ),
)
