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


def _proof(replay: Replay, constants: dict[str, sp.Expr]) -> None:
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
    replay.derive(
        "statement",
        filled(FORM, constants).subs(s.alpha, alpha) - s.grad_F_change,
        {"all tasks": 1, "mean of tasks": 1},
        plus=[
            (constants["cL"] - SHARP["cL"]) * L * r,
            (constants["cg"] - SHARP["cg"]) * rho * alpha * s.mean_grad * r,
        ],
    )


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
            "sharp": Version(FORM, SHARP, "ours: FMO's route without rounding 1 + a up to 2", _proof),
        },
        box={s.a: (sp.Integer(0), sp.Integer(1))},
    ),
)
