"""The moments of the random step 1/L~(w), L~(w) = 4L + (2 rho alpha/B') sum_j ||grad~ f_j||: FMO Lemma 4.11.

With L = 1 write L~ = 4 + x. Mean: Jensen, and E x <= 2 rho alpha E||g_i|| + 1 by the condition on D_step.
Second moment: Var x <= 9 by both conditions, and a quadratic that touches (4 + x)^-2 at 0 and at one further point
majorises it (this is Wooff's bound on a reciprocal moment, shown here instead of quoted). FMO rounds E x down.
"""

import sympy as sp

from theory import domains
from theory import symbols as s
from theory.certify import Replay
from theory.claim import Claim, Version, constant, filled

PUBLISHED_L = 4 * s.L + 2 * s.rho * s.alpha * s.mean_grad
MEAN = constant("c") / PUBLISHED_L
SECOND = constant("c") / PUBLISHED_L**2
MEAN_CONSTANT = sp.Rational(4, 5)
SECOND_CONSTANT = sp.Rational(1855, 1000)
VARIANCE = 9

_x, _mu, _var = sp.symbols("x E(x) Var(x)", nonnegative=True)
_m = sp.Symbol("2*rho*alpha*E||g_i||/L", nonnegative=True)
_SCALED = {s.mean_grad: _m * s.L / (2 * s.rho * s.alpha)}


def _state(replay: Replay, slack: sp.Expr, by: dict[str, sp.Expr], room: sp.Expr) -> None:
    replay.derive("statement", slack.subs(_SCALED), by, plus=[room])


def _mean(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    noise = sp.Symbol("2*rho*alpha*sigma_tilde/(L*sqrt(D_step))", nonnegative=True)
    replay.given("Jensen", s.L * s.step_mean - 1 / (4 + _mu), "Jensen", "E 1/L~ >= 1/E L~")
    replay.given("sampled norms", _m + noise - _mu, "sample variance", "E||g~|| <= E||g|| + sigma_tilde/sqrt(D_step)")
    replay.given("D_step", 1 - noise, "domain")
    replay.derive("E L~", 1 + _m - _mu, {"sampled norms": 1, "D_step": 1})
    replay.derive("reciprocal", 1 / (4 + _mu) - 1 / (5 + _m), {"E L~": 1 / ((4 + _mu) * (5 + _m))})
    replay.derive("L(w) >= 4L", 1 / (5 + _m) - MEAN_CONSTANT / (4 + _m), {}, plus=[_m / (5 * (5 + _m) * (4 + _m))])
    room = (MEAN_CONSTANT - constants["c"]) / (4 + _m) / s.L
    by = {"Jensen": 1 / s.L, "reciprocal": 1 / s.L, "L(w) >= 4L": 1 / s.L}
    _state(replay, s.step_mean - filled(MEAN, constants), by, room)


def _mean_attained(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    replay.given(
        "constant norm",
        s.L * s.step_mean - sp.Rational(1, 5),
        "instance",
        "g_i = 0, noise of constant norm, 2 rho alpha sigma_tilde/sqrt(D_step) = L: L~ = 5L always, L(w) = 4L",
    )
    replay.check("c is reached", constants["c"] / 4 - sp.Rational(1, 5))


def _variance(replay: Replay) -> None:
    """Adds "variance of x": Var x <= 9."""
    spread, noise = sp.symbols("(rho*alpha*sigma/L)^2 (2*rho*alpha*sigma_tilde/L)^2", nonnegative=True)
    bound = (4 * spread + noise / s.D_step) / s.B_step
    replay.given("B' norms", bound - _var, "independence", "Var ||g~_j|| <= E||g~_j - grad f||^2, with A4 and A5")
    replay.given("B'", s.B_step - spread / 2, "domain")
    replay.given("B' has a member", s.B_step - 1, "domain")
    replay.given("D_beta", s.D_step - noise, "domain")
    replay.derive(
        "variance of x",
        VARIANCE - _var,
        {"B' norms": 1, "B'": 8 / s.B_step, "B' has a member": 1 / s.B_step, "D_beta": 1 / (s.B_step * s.D_step)},
    )


def _majorant(replay: Replay) -> None:
    """Adds "Wooff": L^2 E beta~^2 <= (V/16 + mu^4/(V + mu^2 + 4 mu)^2)/(V + mu^2), V = 9."""
    far = (VARIANCE + _mu**2) / _mu
    q = (far + 12) / (16 * (far + 4) ** 3)
    p = (far**2 + 12 * far + 16) / (8 * (far + 4) ** 3)
    reciprocal = sp.Symbol("1/(4+x)", nonnegative=True)
    replay.define(reciprocal, 1 / (4 + _x))
    quadratic = sp.Rational(1, 16) - sp.cancel(p) * _x + sp.cancel(q) * _x**2
    touching = q * _x * (_x - far) ** 2 * (_x + 8 * (far + 8) / (far + 12)) / (4 + _x) ** 2
    factored = sp.factor(sp.cancel(touching / (_x - far) ** 2)) * (_x - far) ** 2
    replay.derive("quadratic majorant", quadratic - reciprocal**2, {}, plus=[factored])
    moments = {_x: _mu, _x**2: _mu**2 + _var, reciprocal**2: s.L**2 * s.step_second}
    replay.expect("in the mean", "quadratic majorant", moments)
    wooff = (sp.Rational(VARIANCE, 16) + _mu**4 / (VARIANCE + _mu**2 + 4 * _mu) ** 2) / (VARIANCE + _mu**2)
    replay.derive("Wooff", wooff - s.L**2 * s.step_second, {"in the mean": 1, "variance of x": sp.cancel(q)})
    replay.check("largest", SECOND_CONSTANT / (4 + _mu) ** 2 - wooff, {_mu: sp.Interval(0, sp.oo)})


def _second(replay: Replay, constants: dict[str, sp.Expr]) -> None:
    _variance(replay)
    _majorant(replay)
    replay.given("means of norms", _mu - _m, "Jensen", "E||g~_j|| >= E||g_j||: the noise has mean zero")
    both = (8 + _mu + _m) / ((4 + _mu) ** 2 * (4 + _m) ** 2)
    replay.derive("squares", 1 / (4 + _m) ** 2 - 1 / (4 + _mu) ** 2, {"means of norms": both})
    by = {"Wooff": s.L**-2, "largest": s.L**-2, "squares": SECOND_CONSTANT / s.L**2}
    room = (constants["c"] - SECOND_CONSTANT) / (4 + _m) ** 2 / s.L**2
    _state(replay, filled(SECOND, constants) - s.step_second, by, room)


_DOMAIN = (domains.INNER_STEP_SMOOTH, *domains.STEP_TASKS, *domains.STEP_SAMPLES)

CLAIMS = (
    Claim(
        id="step-size-mean",
        title="Mean of the random step 1/L~",
        equation="",
        source="FMO Lemma 4.11",
        kind="lower",
        lhs=s.step_mean,
        domain=_DOMAIN,
        versions={
            "published": Version(MEAN, {"c": sp.Rational(8, 10)}, "FMO Lemma 4.11", _mean),
            "sharp": Version(MEAN, {"c": MEAN_CONSTANT}, "FMO Lemma 4.11; reached", _mean, attained=_mean_attained),
        },
    ),
    Claim(
        id="step-size-moments",
        title="Second moment of the random step 1/L~",
        equation="",
        source="FMO Lemma 4.11",
        kind="upper",
        lhs=s.step_second,
        domain=_DOMAIN,
        versions={
            "published": Version(SECOND, {"c": sp.Rational(3125, 1000)}, "FMO Lemma 4.11", _second),
            "sharp": Version(SECOND, {"c": SECOND_CONSTANT}, "ours: the same route without rounding E x down", _second),
        },
    ),
)
