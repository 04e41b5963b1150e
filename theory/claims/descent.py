"""One step: the descent lemma (9) and its expectation (10).

(9) needs the Lipschitz bound of the claim smoothness along the segment from w only, with the constant taken at w.
(10) keeps E||G||^2/B where the variance of a mean of B i.i.d. terms gives (E||G||^2 - ||E G||^2)/B.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled
from theory.claims import smoothness

LEMMA = smoothness.FORM * s.distance / 2
_CURVED = s.smooth_k / 2 * s.beta_second
EXPECTED = -s.beta_mean * s.overlap + _CURVED * (s.mean_G**2 + constant("cB") * s.second_G / s.B)
VARIANCE = -s.beta_mean * s.overlap + _CURVED * (s.mean_G**2 + constant("cB") * (s.second_G - s.mean_G**2) / s.B)
_ONE = {"cB": sp.Integer(1)}


def _lemma(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    along = sp.Symbol("int_0^1 ||grad F(w+t(u-w))-grad F(w)|| dt", nonnegative=True)
    smoothness.lipschitz(replay)
    replay.expect("along the segment", "Lipschitz", {s.distance: s.distance / 2, s.grad_F_change: along})
    replay.given("tangent", along * s.distance - s.F_rise, "integral", "with the Cauchy-Schwarz inequality")
    replay.derive(
        "statement",
        filled(LEMMA, constants).subs(s.alpha, s.a / s.L) - s.F_rise,
        {"along the segment": s.distance, "tangent": 1},
        plus=[smoothness.room(constants) * s.distance / 2],
    )


def expected(replay: Replay) -> None:
    """Adds the step "expected descent": (10) with the variance of the mean over the batch."""
    beta, batch2, batch_mean2 = sp.symbols("beta_k, ||G_B||^2, E||G_B||^2", nonnegative=True)
    product, change = sp.symbols("<grad_F|G_B>, F_next-F", real=True)
    lemma = s.smooth_k / 2 * beta**2 * batch2 - beta * product - change
    replay.given("descent lemma", lemma, "integral", "the claim descent-lemma at u = w_k - beta_k G_B")
    independent = {beta * product: s.beta_mean * s.overlap, beta**2 * batch2: s.beta_second * batch_mean2}
    replay.given("own batch", sp.Integer(0), "independence", "beta_k is drawn apart from G_B, given w_k")
    replay.expect("in the mean", "descent lemma", {**independent, change: s.F_step})
    spread = (s.second_G - s.mean_G**2) / s.B
    replay.given("mean of the batch", s.mean_G**2 + spread - batch_mean2, "independence", "B i.i.d. tasks")
    replay.derive(
        "expected descent", filled(VARIANCE, _ONE) - s.F_step, {"in the mean": 1, "mean of the batch": _CURVED}
    )


def _published(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    expected(replay)
    room = [_CURVED * s.mean_G**2 / s.B, _CURVED * (constants["cB"] - 1) * s.second_G / s.B]
    replay.derive("statement", filled(EXPECTED, constants) - s.F_step, {"expected descent": 1}, plus=room)


def _sharp(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    expected(replay)
    replay.given("second moment", s.second_G - s.mean_G**2, "Jensen")
    more = _CURVED * (constants["cB"] - 1) / s.B
    slack = filled(VARIANCE, constants) - s.F_step
    replay.derive("statement", slack, {"expected descent": 1, "second moment": more})


CLAIMS = (
    Claim(
        id="descent-lemma",
        title="F lies below its tangent plus a parabola with the curvature bound at w",
        equation="(9)",
        source="FMO Corollary 4.10; survey (9)",
        kind="upper",
        lhs=s.F_rise,
        domain=(domains.INNER_STEP_SMOOTH,),
        versions={
            "published": Version(LEMMA, {"cL": sp.Integer(4), "cg": sp.Integer(2)}, "FMO Corollary 4.10", _lemma),
            "sharp": Version(LEMMA, smoothness.SHARP, "ours: with the sharp form of the claim smoothness", _lemma),
        },
        box={s.a: (sp.Integer(0), sp.Integer(1))},
    ),
    Claim(
        id="expected-descent",
        title="The descent lemma in the mean over the batch",
        equation="(10)",
        source="FMO (101); survey (10)",
        kind="upper",
        lhs=s.F_step,
        domain=(domains.INNER_STEP_SMOOTH,),
        versions={
            "published": Version(EXPECTED, _ONE, "survey (10)", _published),
            "sharp": Version(VARIANCE, _ONE, "ours: the variance of the mean over the batch", _sharp),
        },
    ),
)
