"""Two tasks on a line at which HF-MAML's difference quotient is blind: they refute FMO (147), (148) and Theorem H.1.

f_1 = -b w and f_2 = b w - cos w, equally likely, exact oracles, L = rho = 1. With delta_i = 1/(6 rho alpha ||h~_i||)
and alpha = 1/(6 pi) the quotient looks pi to both sides of w, and sin(w + pi) - sin(w - pi) = 0: HF-MAML is FO-MAML
here. From w_0 = pi/3 the tilt b puts the adapted point of the second task where one likes.

* At 0, E G = 0 and grad F = sqrt(3)/(48 pi) - pi/12 = -0.2503: the full-batch method never moves.
* At pi/6, E G = 1/4 and grad F = 0.1240; in between lies a zero of grad F at which E G is not zero.
"""

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from theory import symbols as s
from theory.certify import Replay

ALPHA = 1 / (6 * sp.pi)
REACH = sp.Rational(1, 6) / ALPHA
START = sp.pi / 3
_w, _t = sp.symbols("w t", real=True)
_sine, _cosine = sp.symbols("sin(w) cos(x_2)", real=True)


@dataclass(frozen=True)
class Pair:
    """The two tasks.

    Args:
        adapted: w_0 - alpha f_2'(w_0), the adapted point of the second task.
    """

    adapted: sp.Expr

    @property
    def tilt(self) -> sp.Expr:
        """b."""
        return sp.expand((START - self.adapted) / ALPHA - sp.sin(START))

    @property
    def tasks(self) -> tuple[sp.Expr, sp.Expr]:
        """f_1 and f_2, as functions of w."""
        return -self.tilt * _w, self.tilt * _w - sp.cos(_w)

    @property
    def spread(self) -> sp.Expr:
        """sigma: half the difference of the slopes is b + sin(w)/2."""
        return self.tilt + sp.Rational(1, 2)

    @property
    def second_adapted(self) -> sp.Expr:
        """x_2 = w - alpha f_2'(w)."""
        return _w - ALPHA * self.tasks[1].diff(_w)

    @cached_property
    def objective(self) -> sp.Expr:
        """F, as a function of w."""
        return self._mean([f.subs(_w, _w - ALPHA * f.diff(_w)) for f in self.tasks])

    @cached_property
    def meta_gradient(self) -> sp.Expr:
        """grad F at w_0."""
        return self.at_start(self.objective.diff(_w))

    @cached_property
    def estimate(self) -> sp.Expr:
        """E G as HF-MAML forms it, as a function of w."""
        return self._mean([self._one_estimate(f) for f in self.tasks])

    @property
    def mean_slope(self) -> sp.Expr:
        """E||g_i|| at w_0, where the slopes are -b and b + sin(w_0)."""
        return self.tilt + sp.sin(START) / 2

    @staticmethod
    def at_start(function: sp.Expr) -> sp.Expr:
        """Its value at w_0."""
        return sp.expand(function.subs(_w, START))

    @staticmethod
    def _one_estimate(f: sp.Expr) -> sp.Expr:
        """h - alpha d, d = (f'(w + delta h) - f'(w - delta h))/(2 delta), delta |h| = REACH, whatever the sign of h."""
        slope = f.diff(_w)
        h = slope.subs(_w, _w - ALPHA * slope)
        return h - ALPHA * h * (slope.subs(_w, _w + REACH) - slope.subs(_w, _w - REACH)) / (2 * REACH)

    @staticmethod
    def _mean(values: list[sp.Expr]) -> sp.Expr:
        return sp.expand(sum(values) / len(values))


AT_REST = Pair(sp.Integer(0))
MOVING = Pair(sp.pi / 6)
GRADIENT = -AT_REST.meta_gradient
CURVATURE, STRETCH = sp.Rational(11, 10), sp.Rational(11, 20)
_MANY, _SPREAD, _PER_FLOOR = sp.Rational(7, 2), sp.Rational(377, 10**4), 30000


def exhibit(replay: Replay, pair: Pair) -> None:
    """Adds that the pair is an instance: A2 to A4 with L = rho = 1 and sigma = b + 1/2, and the domain."""
    b = pair.tilt
    text = f"f_1 = -b w, f_2 = b w - cos w, b = {b}, p = 1/2 each, exact oracles, alpha = 1/(6 pi), w_0 = pi/3"
    replay.given("two tasks", 1 - _sine, "instance", f"{text}; L = rho = 1, since |cos| and |sin| reach 1 and no more")
    half = sp.expand((pair.tasks[1] - pair.tasks[0]).diff(_w)) / 2
    replay.derive("half the difference of the slopes is b + sin(w)/2", half - b - sp.sin(_w) / 2, {})
    replay.check("it is positive", b - sp.Rational(1, 2))
    replay.derive("A4", pair.spread - (b + _sine / 2), {"two tasks": sp.Rational(1, 2)})
    replay.check("alpha <= 1/(6 L)", sp.Rational(1, 6) - ALPHA)
    replay.check("B' >= 1 is all the step asks", 1 - (ALPHA * pair.spread) ** 2 / 2)
    replay.derive("x_2 at w_0", pair.second_adapted.subs(_w, START) - pair.adapted, {})
    replay.derive("sin(w + pi) - sin(w - pi) = 0", sp.sin(_t + REACH) - sp.sin(_t - REACH), {})
    replay.derive("E G = sin(x_2)/2", pair.estimate - sp.expand(sp.sin(pair.second_adapted)) / 2, {})


def at_rest(replay: Replay) -> None:
    """Adds that E G = 0 and ||grad F|| >= 1/4 at w_0."""
    exhibit(replay, AT_REST)
    replay.derive("E G = 0 at w_0", AT_REST.at_start(AT_REST.estimate), {})
    replay.check("||grad F|| > 1/4 at w_0", GRADIENT - sp.Rational(1, 4))


def _gap(replay: Replay) -> sp.Expr:
    """Adds A1, and returns a bound on Delta: F = -alpha b^2 - cos(x_2)/2 - (alpha b/2) sin w."""
    b = AT_REST.tilt
    closed = -ALPHA * b**2 - sp.cos(AT_REST.second_adapted) / 2 - ALPHA * b / 2 * sp.sin(_w)
    replay.derive("F in closed form", sp.expand(AT_REST.objective - closed), {})
    at_start = AT_REST.at_start(closed)
    anywhere = -ALPHA * b**2 - _cosine / 2 - ALPHA * b / 2 * _sine
    replay.given("cosine", 1 - _cosine, "definition", "cos(x_2) <= 1")
    bound = ALPHA * b / 2 * (1 - sp.sin(START))
    by = {"cosine": sp.Rational(1, 2), "two tasks": ALPHA * b / 2}
    replay.derive("A1: Delta is finite", bound - (at_start - anywhere), by)
    return bound


def _curved(replay: Replay) -> None:
    """Adds that |F''| <= 11/10 everywhere."""
    b, x = AT_REST.tilt, AT_REST.second_adapted
    wave, slope = sp.sin(_w) * (sp.sin(x) + b), (1 - ALPHA * sp.cos(_w)) ** 2 * sp.cos(x)
    second = sp.expand(AT_REST.objective.diff(_w, 2)) - sp.expand(ALPHA * wave + slope) / 2
    replay.derive("F'' = (alpha sin(w) (sin(x_2) + b) + (1 - alpha cos(w))^2 cos(x_2))/2", second, {})
    most = (ALPHA * (1 + b) + (1 + ALPHA) ** 2) / 2
    replay.check("|F''| <= (alpha (1 + b) + (1 + alpha)^2)/2 <= 11/10", CURVATURE - most)


def falls_less(replay: Replay, claimed: sp.Expr, longest: sp.Expr) -> None:
    """Shows that a step from w_0 with a batch of 10^6 decreases F by less than is claimed.

    Args:
        claimed: the decrease that is refuted, at the numbers of this instance.
        longest: the largest outer step the rule allows.
    """
    at_rest(replay)
    _curved(replay)
    move, drop = sp.symbols("E(w_1-w_0)^2 F(w_0)-E(F(w_1))", nonnegative=True)
    variance = longest**2 * AT_REST.spread**2 / 10**6
    replay.given("parabola", CURVATURE / 2 * move - drop, "integral", "E(w_1 - w_0) = 0 and |F''| <= 11/10")
    replay.given("variance of a batch of 10^6", variance - move, "independence", "E G = 0, A4")
    tiny = sp.Rational(1, 10**7)
    by = {"parabola": 1, "variance of a batch of 10^6": CURVATURE / 2}
    replay.derive("F falls by less than 10^-7", tiny - drop, by, plus=[tiny - CURVATURE / 2 * variance])
    replay.check("and by more than 10^-5 is claimed", claimed - 100 * tiny)


def stays(replay: Replay, c: sp.Expr, longest: sp.Expr) -> None:
    """Shows E||grad F(w_k)|| > eps = 1/5 above the floor with constant c, for as many steps as any O(1) allows.

    The batch grows with c and with the O(1), so that no constants repair the theorem.

    v = min((w_k - w_0)^2, 1) has E v <= k longest^2 sigma^2/B: within |w - w_0| <= 1 the mean step leads back to w_0,
    and beyond nothing need be known. |F'(w)| >= |F'(w_0)| - (11/10) sqrt(v) everywhere.

    Args:
        c: constant of the floor.
        longest: the largest outer step the rule allows.
    """
    at_rest(replay)
    _curved(replay)
    K, noise = sp.symbols("K longest^2*sigma^2/B", nonnegative=True)
    eps, target = sp.Rational(1, 5), sp.Rational(21, 100)
    sigma, least = AT_REST.spread, _PER_FLOOR * c + 100 * K
    k, mean = _drift(replay, noise, longest)
    X, root, mean_root = sp.symbols("|F'(w_k)| sqrt(v) E(sqrt(v))", nonnegative=True)
    replay.check("|F'(w_0)| is less than it may change by when v = 1", CURVATURE - GRADIENT)
    replay.given("Lipschitz", X - GRADIENT + CURVATURE * root, "integral", "|F''| <= 11/10; nothing is said beyond 1")
    replay.expect("meta-gradient", "Lipschitz", {X: s.mean_grad_F, root: mean_root})
    replay.given("Jensen", mean - mean_root**2, "Jensen")
    enough = _gap(replay) * (1 + ALPHA * (sigma + eps)) / eps**2
    replay.given("k < T", K * enough - k, "domain", "T < 1 + K Delta (L + rho alpha (sigma + eps))/eps^2, for any K")
    replay.check("Delta (L + rho alpha (sigma + eps))/eps^2 <= 7/2", _MANY - enough)
    replay.given(
        "batch", longest**2 * sigma**2 / least - noise, "definition", "of the batch: B = 30000 c + 100 K, K the O(1)"
    )
    replay.check("longest^2 sigma^2 <= 0.0377", _SPREAD - longest**2 * sigma**2)
    by = {"Jensen": 1, "E v <= k longest^2 sigma^2/B": 1, "k < T": noise, "batch": _MANY * K}
    by |= {"Delta (L + rho alpha (sigma + eps))/eps^2 <= 7/2": K * noise}
    by |= {"longest^2 sigma^2 <= 0.0377": _MANY * K / least}
    drift = _MANY * K * _SPREAD / least
    replay.derive("drift, squared", drift - mean_root**2, by)
    far = (sp.Rational(1, 4) - target) / CURVATURE
    replay.derive("drift, bounded", far**2 - mean_root**2, {"drift, squared": 1}, plus=[far**2 - drift])
    replay.root("drift", "drift, bounded", far, mean_root)
    by = {"meta-gradient": 1, "drift": CURVATURE, "||grad F|| > 1/4 at w_0": 1}
    replay.derive("E||grad F(w_k)|| >= 0.21 for every k < T", s.mean_grad_F - target, by)
    N = sigma**2 / (_PER_FLOOR * c)
    replay.check("eps = 1/5 is above the floor, root", eps**2 - c * (1 + ALPHA * sigma) * N)
    replay.check("eps = 1/5 is above the floor, linear", eps - c * ALPHA * N)


def _drift(replay: Replay, noise: sp.Symbol, longest: sp.Expr) -> tuple[sp.Symbol, sp.Symbol]:
    """Adds that E v <= k noise after k steps; returns k and E v."""
    e, g, beta, v = sp.symbols("|w_k-w_0| |E_kG| beta_k v", nonnegative=True)
    next2, after = sp.symbols("E_k|w_(k+1)-w_0|^2 E_kv_(k+1)", nonnegative=True)
    replay.check("sin(x_2) has the sign of w - w_0 within |w - w_0| <= 1", sp.pi - (1 + ALPHA))
    replay.check("(1 + alpha)/2 <= 11/20", STRETCH - (1 + ALPHA) / 2)
    replay.given("mean step", STRETCH * e - g, "integral", "|sin(x_2)| <= |x_2| and x_2' = 1 - alpha cos(w) > 0")
    replay.given("longest step", longest - beta, "definition", "L~ >= 4L")
    leads_back = (e - beta * g) ** 2 + noise - next2
    replay.given("one step, within", leads_back, "independence", "a batch has variance at most sigma^2/B; beta_k apart")
    replay.derive(
        "within |w - w_0| <= 1 no farther in the mean, but for the noise",
        e**2 + noise - next2,
        {"one step, within": 1, "mean step": beta**2 * g, "longest step": beta * g * e * STRETCH},
        plus=[beta * g * e * (2 - longest * STRETCH)],
    )
    replay.given("one step", v + noise - after, "definition", "v = min(|w_k - w_0|^2, 1) is 1 beyond")
    mean, later, k = sp.symbols("E(v) E(v_(k+1)) k", nonnegative=True)
    replay.expect("in the mean", "one step", {v: mean, after: later})
    name = "E v <= k longest^2 sigma^2/B"
    replay.induct(name, k * noise - mean, {k: 0, mean: 0}, {k: k + 1, mean: later}, {"in the mean": 1})
    return k, mean
