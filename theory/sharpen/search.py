"""The search for analysis parameters: SciPy and NumPy look; what they find is rounded to rationals for the proof."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import sympy as sp

from theory.sharpen import laws
from theory.sharpen.setting import Analysis, Setting

CUTS = (0.0, 1.0, 4.0, 16.0, 64.0)
_y = sp.Symbol("y", positive=True)


@cache
def grid():
    """Points of y = rho alpha E||g_i||/L from nearly 0 to far out."""
    import numpy as np

    return np.concatenate([[1e-12], np.geomspace(1e-3, 1e8, 1200)])


@cache
def plane(cut: float, fine: int):
    """(s, x, M, near) over rho alpha sigma, rho alpha eps: M = max(1 + s, x), near where M <= 1 + cut."""
    import numpy as np

    r = np.concatenate([[0.0], np.geomspace(1e-3, 1e6, 60 * fine)])
    r, t = map(np.ravel, np.meshgrid(r, np.linspace(0, 1, 1 + 6 * fine)))
    edge = np.full(t.shape, cut)
    s = np.concatenate([r, r * t, edge, edge * t])
    x = np.concatenate([(1 + r) * t, 1 + r, (1 + edge) * t, 1 + edge])
    near = np.concatenate([r <= cut, r <= cut, edge < 0, edge < 0])
    return s, x, np.maximum(1 + s, x), near


def gain(near: Setting, y, eta: float, weight: float):
    """E[beta] (1 - eta/2) - (S/2) E[beta^2] weight from below, in floats, as the proof will have it."""
    import numpy as np

    straight = laws.gains(near, y, 1 - eta / 2, weight, False)[0]
    if not laws.is_random(near):
        return straight
    A, Q = laws.pair(near, y, 1 - eta / 2, weight)
    turned = np.minimum(*laws.gains(near, y, 1 - eta / 2, weight, True))
    return np.where(laws.excess(A, Q, 5 + 2 * y) > 0, turned, straight)


def sketch(near: Setting, eta: float, phi: float) -> Analysis:
    """An analysis in floats, without K and floor."""
    import numpy as np

    weight = near.square_weight(near.second_moment(phi)["cF"])
    y = grid()
    values = gain(near, y, eta, weight)
    if min(values) <= 0:
        return Analysis(eta, phi, 0.0, math.inf, math.inf, 0.0, 0.0)
    k_L = 1 / values[0]
    k_rho = np.max(near.reach * (1 - k_L * values[1:]) / (values[1:] * y[1:]))
    first = near.curvature[0] if near.step == "sharp" else 4.0
    square = np.max(laws.square(near, y))
    return Analysis(eta, phi, 0.0, k_L, max(k_rho, 0.0), near.factor / first, square)


def pace(near: Setting, found: Analysis, floor: float, cut: float, fine: int = 1) -> float:
    """1/K for a floor and the constants of an analysis, in floats; not positive where the noise takes all."""
    import numpy as np

    if not math.isfinite(found.k_L):
        return -math.inf
    s, x, M, second = plane(cut, fine)
    rest = 1 / (found.k_L + found.k_rho * (s + x))
    if math.isfinite(floor):
        tasks, inner, lever = noises(near, found)
        per = floor * M
        bias = np.where(second, (x / per) ** 2, 4 / per)
        rest = rest - np.maximum(tasks / per, inner / per + lever * bias)
    return float(((1 + s + x) * rest).min())


def noises(setting: Setting, found: Analysis):
    """What N costs a step: its first two terms, its third without the bias's cross term, and the lever of that."""
    tasks, inner = setting.noise_weights(setting.second_moment(found.phi))
    lever = found.mean * setting.bias_factors[1] ** 2 / (2 * found.eta) if setting.inner else 0 * found.mean
    return found.square * tasks, found.square * inner, lever


def smallest_floor(near: Setting, found: Analysis, K: float, cut: float, fine: int = 1) -> float:
    """The least floor constant that leaves K, by bisection in floats; inf if none."""
    low, high = 1e-6, 1e9
    if pace(near, found, high, cut, fine) < 1 / K:
        return math.inf
    while high / low > 1 + 1e-10:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if pace(near, found, middle, cut, fine) >= 1 / K else (middle, high)
    return high


Value = Callable[[Setting, Analysis, float], float]


def minimise(setting: Setting, free: bool, value: Value) -> tuple[Setting, Analysis]:
    """Search eta, phi and, if `free`, the step factor for the smallest value, at each place of the bias's cut.

    Returns:
        The setting with its factor, and an analysis in floats with its cut.
    """
    import numpy as np
    from scipy.optimize import minimize

    near = setting.near()
    starts = {"eta": np.arange(-16, 0, 0.5), "phi": np.arange(-8, 1)} if setting.inner else {}
    starts |= {"factor": [math.log(float(setting.factor))]} if free else {}

    def put(point) -> tuple[Setting, Analysis]:
        at = dict(zip(starts, np.exp(point), strict=True))
        here = _with_factor(near, float(at["factor"])) if free else near
        return here, sketch(here, float(at.get("eta", 0.0)), float(at.get("phi", 0.0)))

    def searched(cut: float):
        def objective(point) -> float:
            return min(value(*put(point), cut), 1e12) if max(map(abs, point)) < 30 else 1e12

        point = min(itertools.product(*starts.values()), key=objective)
        for _ in range(2):
            point = minimize(objective, point, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
        return objective(point), tuple(point)

    best = min((*searched(cut), cut) for cut in (CUTS if setting.inner else CUTS[:1])) if starts else (0, (), 0)
    here, found = put(best[1])
    moved = replace(setting, factor=simple(here.factor, 4)) if free else setting
    return moved, replace(found, cut=sp.Rational(best[2]))


def _with_factor(near: Setting, factor: float) -> Setting:
    moved = replace(near, factor=factor)
    for name in ("curvature", "bias_factors", "reach", "second_base"):
        vars(moved)[name] = vars(near)[name]
    return moved


def simple(value: float, digits: int = 3) -> sp.Rational:
    """A float as a decimal of a few digits, exactly."""
    return sp.Rational(f"{value:.{digits - 1}e}") if value else sp.Integer(0)


def rounded_up(value: float, digits: int = 8) -> sp.Rational:
    """A decimal just above a positive float."""
    scale = sp.Integer(10) ** (digits - 1 - math.floor(math.log10(value)))
    return (sp.Integer(math.floor(value * float(scale))) + 2) / scale


def exactly(setting: Setting, eta: sp.Rational, phi: sp.Rational) -> Analysis:
    """The analysis that rational Young weights give, in rationals: exact where a supremum sits at 0 or infinity."""
    weight = setting.square_weight(setting.second_moment(phi)["cF"])
    near = setting.near()
    rough = sketch(near, float(eta), float(phi))
    if not math.isfinite(rough.k_L):
        raise ValueError("no decrease can be shown for this step: take a smaller step factor or larger batches")
    turn = _turn(near, float(eta), float(weight))
    pieces = laws.gains(setting, _y, 1 - eta / 2, weight, turned=turn == 0)
    k_L = 1 / min(sp.cancel(piece).subs(_y, 0) for piece in pieces)
    far = laws.gains(setting, _y, 1 - eta / 2, weight, turned=True)
    k_rho = setting.reach / min(sp.limit(sp.cancel(_y * piece), _y, sp.oo) for piece in far)
    highest = _peak(lambda y: near.reach * (1 / gain(near, y, float(eta), float(weight)) - float(k_L)) / y)
    if highest > float(k_rho) * (1 + 1e-10):
        k_rho = rounded_up(highest)
    start = sp.cancel(laws.square(setting, _y)).subs(_y, 0)
    highest = _peak(lambda y: laws.square(near, y))
    square = start if highest <= float(start) * (1 + 1e-10) else rounded_up(highest)
    first = setting.curvature[0] if setting.step == "sharp" else 4
    return Analysis(eta, phi, turn, k_L, k_rho, setting.factor / first, square)


def _turn(near: Setting, eta: float, weight: float) -> sp.Rational:
    """A rational y up to which the tangent at 5 + 2y lies below, and from which that at 4 + 2y does not."""
    if not laws.is_random(near):
        return sp.Integer(0)

    def crossing(first: int) -> float:
        low, high = 0.0, 1e12
        for _ in range(200):
            y = (low + high) / 2
            above = laws.excess(*laws.pair(near, y, 1 - eta / 2, weight), first + 2 * y) > 0
            low, high = (low, y) if above else (y, high)
        return high

    middle = (crossing(4) + crossing(5)) / 2
    return simple(middle, 4) if crossing(5) > 1e-6 else sp.Integer(0)


def _peak(function: Callable) -> float:
    """The largest value on y > 0 in floats: the grid's, refined between its neighbours."""
    from scipy.optimize import minimize_scalar

    y = grid()[1:]
    values = function(y)
    at = int(values.argmax())
    if at in (0, len(y) - 1):
        return float(values[at])
    best = minimize_scalar(
        lambda point: -float(function(point)), bounds=(y[at - 1], y[at + 1]), method="bounded", options={"xatol": 1e-12}
    )
    return max(float(values[at]), -best.fun)
