"""The proof behind a sharpened constant, replayed in exact arithmetic; the mathematics is in the package's docstring.

One step is shown on each range of y = rho alpha E||g_i||/L by itself, and the last inequality on each region of
(s, x) = (rho alpha sigma/L, rho alpha eps/L); each has a ledger of its own. Units: L = 1 and eps = 1.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import chain

import sympy as sp

from theory.certify import Certificate, Replay
from theory.sharpening import laws, lemmas
from theory.sharpening.lemmas import M2, R2, VB, R, X, b1, b2, inner, share, sigma2, sO2, t, y
from theory.sharpening.search import noises
from theory.sharpening.setting import Analysis, Setting

drop, mean_drop = sp.symbols("F(w)-E_kF(w+) E[F(w)-F(w+)]", real=True)
up, Xbar, x, s, w_t, w_i = sp.symbols("||grad_F||*||r||+grad_F.r E||grad_F|| x s N_tasks N_inner", nonnegative=True)
_v, _tau, _u = sp.symbols("v tau u", nonnegative=True)
FAR = sp.Interval(0, sp.oo)
HALVINGS = 5


def prove(setting: Setting, found: Analysis) -> Certificate:
    """Replay the whole proof that `found.K` and `found.floor` hold in a setting."""
    ledgers = [*_any_target(setting, replace(found, K=sp.oo, floor=sp.oo, cut=sp.S.Zero))]
    for region in _regions(setting, found):
        ledgers += _last(setting, found, *region)
    steps = chain.from_iterable(ledger.steps for ledger in ledgers)
    return Certificate(f"K = {found.K}, floor constant {found.floor}", tuple(steps))


@cache
def _any_target(setting: Setting, found: Analysis) -> tuple[Replay, ...]:
    """The part of the proof that K and the floor do not enter."""
    steps = (_one_step(setting, found, *piece) for piece in _ranges(setting, found))
    return lemmas.claims(setting), lemmas.ceilings(setting, found), *steps, _mean_step(setting, found)


def _ranges(setting: Setting, found: Analysis) -> list[tuple[sp.Interval, bool]]:
    if not laws.is_random(setting):
        return [(FAR, False)]
    near, far = (sp.Interval(0, found.turn), False), (sp.Interval(found.turn, sp.oo), True)
    return [near, far] if found.turn else [far]


def _one_step(setting: Setting, found: Analysis, interval: sp.Interval, turned: bool) -> Replay:
    """One step from a point with y in an interval: drop >= X^2/(k_L + k_rho y/A) - noise."""
    replay = Replay({y: interval, **lemmas.box(setting)})
    constants = setting.second_moment(found.phi)
    weight, S = setting.square_weight(constants["cF"]), laws.smooth(setting, y)
    gained = 1 / (found.k_L + found.k_rho * y / setting.reach)
    lemmas.step_law(replay, setting, found, weight, turned, gained)
    kept = 1 - share(setting) if setting.first == "split" else 1
    descent = drop - b1 * (X**2 + t) + S / 2 * b2 * (kept * M2 + VB)
    replay.given("descent (10)", descent, "definition", "the claims smoothness and expected-descent; beta apart from G")
    lemmas.second_moment(replay, setting, found.phi, constants)
    shown = (b1 * (1 - found.eta / 2) - S / 2 * b2 * weight) * X**2 - S / 2 * b2 * _spread(setting, constants)
    by = {"descent (10)": 1, "(8)/B": S / 2 * b2}
    if setting.inner:
        shown -= b1 * R2 / (2 * found.eta)
        plus = _cross(replay, setting, found, S, weight, gained, by)
    else:
        replay.given("no bias", t, "definition", "exact inner gradients: E G = grad F, so <grad F, r> = 0")
        replay.given("no bias in the mean", X**2 - M2, "definition")
        by, plus = {**by, "no bias": b1, "no bias in the mean": kept * S / 2 * b2}, []
        plus.append((setting.mean_weight(share(setting)) - kept) * S / 2 * b2 * X**2)
    here = setting.mean_weight(share(setting)) + share(setting) * constants["cF"]
    replay.derive("step", drop - shown, by, [*plus, S / 2 * b2 * sp.expand(weight - here) * X**2])
    _conclude(replay, setting, found, S, constants, gained)
    return replay


def _spread(setting: Setting, constants: dict) -> sp.Expr:
    """What E||G||^2 of the batch has beside its multiple of ||grad F||^2."""
    i = share(setting)
    noise = i * constants["cs"] * sigma2 + i * constants["co"] * sO2 * setting.outer
    if not setting.inner:
        return noise
    mean = setting.mean_weight(i) * (setting.bias_factors[0] ** 2 * inner if setting.first == "published" else R2)
    return noise + mean + i * constants["ci"] * inner


def _cross(replay: Replay, setting: Setting, found: Analysis, S, weight, gained, by: dict) -> list[sp.Expr]:
    """What becomes of <grad F, r>: adds to `by`, and returns the squares that are left over."""
    eta, kept = found.eta, 1 - share(setting)
    replay.define(t, up - X * R)
    replay.define(R2, R**2)
    square = b1 * eta / 2 * (X - R / eta) ** 2
    if setting.first == "published":
        replay.given("(7)", 2 * X**2 + 2 * setting.bias_factors[0] ** 2 * inner - M2, "definition", "first-moment")
        by |= {"(7)": S / 2 * b2}
        return [square, b1 * up]
    replay.given("Cauchy-Schwarz", 2 * X * R - up, "Cauchy-Schwarz", "up = <grad F, r> + ||grad F|| ||r||")
    replay.given("mean of G", X**2 + 2 * t + R2 - M2, "definition")
    long = [2 * gained, b1 * eta, S * b2 * sp.expand(weight - kept)]
    replay.derive("step not too long", 2 * b1 - kept * S * b2, {"gain of the step": 2}, plus=long)
    by |= {"mean of G": kept * S / 2 * b2, "step not too long": up / 2, "Cauchy-Schwarz": kept * S * b2 / 2}
    return [square]


def _conclude(replay: Replay, setting: Setting, found: Analysis, S, constants: dict, gained) -> None:
    """The step's bound with the largest noise of all points."""
    tasks, rest, _ = noises(setting, found)
    by = {"step": 1, "gain of the step": X**2, "square of the step": _spread(setting, constants)}
    cost = tasks * w_t + rest * w_i
    i = share(setting)
    replay.define(w_t, i * (sigma2 + sO2 * setting.outer))
    replay.define(w_i, inner * setting.inner)
    replay.given("mean of the step", found.mean - b1, "definition", "shown above")
    replay.given("square of the step", found.square - S / 2 * b2, "definition", "shown above")
    plus = [i * (tasks - found.square * constants["cs"]) * sigma2]
    plus.append(i * (tasks - found.square * constants["co"]) * sO2 * setting.outer)
    if setting.inner:
        fewer = constants["ci"] - (setting.bias_factors[0] ** 2 if setting.first == "split" else 0)
        plus.append(found.square * (setting.share - i) * fewer * inner)
        by["mean of the step"] = R2 / (2 * found.eta)
        cost += found.mean * R2 / (2 * found.eta)
        if setting.first == "split":
            lemmas.first_bias(replay, setting)
            by["bias"] = found.square * (1 - i)
    replay.derive("one step", drop - gained * X**2 + cost, by, plus)


def _cost(setting: Setting, found: Analysis) -> sp.Expr:
    tasks, rest, _ = noises(setting, found)
    bias = found.mean * R2 / (2 * found.eta) if setting.inner else 0
    return tasks * w_t + rest * w_i + bias


def _mean_step(setting: Setting, found: Analysis) -> Replay:
    """From one step to its expectation while E||grad F|| >= eps, by the convexity of X^2/(e + f X)."""
    replay = Replay({})
    A, cost = setting.reach, _cost(setting, found)
    k = found.k_L + found.k_rho * y / A
    e, f = found.k_L + found.k_rho * s, found.k_rho * x
    replay.given("one step", drop - X**2 / k + cost, "definition", "shown above; ||r||^2 its largest value")
    replay.given("relation", A * (s + x * X) - y, "definition", "E||g_i|| <= A (sigma + ||grad F||), shown above")
    at_X = drop - X**2 / (e + f * X) + cost
    replay.derive("one step, y gone", at_X, {"one step": 1, "relation": X**2 * found.k_rho / (A * k * (e + f * X))})
    line = 1 / (e + f) + (2 * e + f) / (e + f) ** 2 * (X - 1)
    tangent = [e**2 * (X - 1) ** 2 / ((e + f * X) * (e + f) ** 2)]
    replay.derive("tangent of the convex function", drop - line + cost, {"one step, y gone": 1}, plus=tangent)
    replay.expect("mean of the tangent", "tangent of the convex function", {X: Xbar, drop: mean_drop})
    replay.given("not there yet", Xbar - 1, "domain", "E||grad F(w_k)|| >= eps")
    slope = (2 * e + f) / (e + f) ** 2
    replay.derive("mean step", mean_drop - 1 / (e + f) + cost, {"mean of the tangent": 1, "not there yet": slope})
    return replay


def _regions(setting: Setting, found: Analysis) -> list[tuple]:
    """(side, low, high, second): M = max(1 + s, x) = 1 + r with r in [low, high], which of the two it is ("s" or "x",
    the other one being tau times as much), and whether the second branch of the bias is used."""
    if found.floor is sp.oo:
        return [("no noise", sp.S.Zero, sp.oo, False)]
    cuts = [(sp.S.Zero, found.cut, True), (found.cut, sp.oo, False)] if found.cut and setting.inner else []
    return [(side, *piece) for side in "sx" for piece in cuts or [(sp.S.Zero, sp.oo, False)]]


def _point(side: str, low: sp.Expr, high: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(s, x, M) on a region, by tau in [0, 1] and v >= 0; without noise s and x are any."""
    if side == "no noise":
        return _v, _u, sp.S.One
    r = low + _v if high is sp.oo else (low + high * _v) / (1 + _v)
    return (r, _tau * (1 + r), 1 + r) if side == "s" else (_tau * r, 1 + r, 1 + r)


def _last(setting: Setting, found: Analysis, side, low, high, second: bool, depth: int = 0) -> list[Replay]:
    """The last inequality on a region, which is halved where the signs of its coefficients do not settle it."""
    replay = _decrease(setting, found, side, low, high, second)
    middle = 2 * low + 1 if high is sp.oo else (low + high) / 2
    if all(step.ok for step in replay.steps) or depth == HALVINGS or side == "no noise":
        return [replay]
    points = (_decrease(setting, found, side, at, at, second) for at in (low, middle))
    if not all(step.ok for point in points for step in point.steps):
        return [replay]
    halves = ((low, middle), (middle, high))
    return [ledger for half in halves for ledger in _last(setting, found, side, *half, second, depth + 1)]


def _decrease(setting: Setting, found: Analysis, side, low, high, second: bool) -> Replay:
    """E[F(w) - F(w+)] >= 1/(K (1 + s + x)) on one region; summed over the steps, T <= K Delta (1 + s + x)."""
    replay = Replay({_tau: (sp.Integer(0), sp.Integer(1))})
    s_at, x_at, M = _point(side, low, high)
    mean = 1 / (found.k_L + found.k_rho * (s_at + x_at))
    goal = 1 / (found.K * (1 + s_at + x_at))
    if found.floor is sp.oo:
        replay.given("mean step", mean_drop - mean, "definition", "shown above; no noise")
        replay.derive("decrease", mean_drop - goal, {"mean step": 1}, plus=[mean - goal])
        return replay
    where = f"shown above; s = {s_at}, x = {x_at}"
    replay.given("mean step", mean_drop - mean + _cost(setting, found), "definition", where)
    per = found.floor * M
    replay.given("floor", 1 - per * (w_t + w_i), "domain", "eps above FMO (86) with this constant")
    tasks, rest, lever = noises(setting, found)
    spare = mean - goal
    by, plus = {"mean step": 1, "floor": spare}, [w_t * (per * spare - tasks)]
    bias = sp.Integer(0)
    if setting.inner:
        weight, factor = found.mean / (2 * found.eta), setting.bias_factors[1]
        by["bias"] = weight
        if second:
            replay.given("bias", (factor * x_at * w_i) ** 2 - R2, "definition", "the claim bias, second branch")
            by["floor"] += lever * x_at**2 * w_i / per
            plus.append(lever * x_at**2 * w_i * w_t)
            bias = lever * x_at**2 / per
        else:
            replay.given("bias", setting.bias_factors[0] ** 2 * w_i - R2, "definition", "the claim bias, first branch")
            bias = 4 * lever
    replay.derive("decrease", mean_drop - goal, by, [*plus, w_i * (per * spare - rest - bias)])
    return replay
