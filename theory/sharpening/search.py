"""The search for analysis parameters: SciPy and NumPy look; what they find is rounded to rationals for the proof."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import sympy as sp

from theory.sharpening import laws
from theory.sharpening.setting import Analysis, Setting

CUTS = (0.0, 1.0, 4.0, 16.0, 64.0)
_y = sp.Symbol("y", positive=True)


@cache
def grid():
    """Points of y = rho alpha E||g_i||/L from nearly 0 to far out."""
    import numpy as np

    return np.concatenate([[1e-12], np.geomspace(1e-3, 1e8, 500)])


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


def pace(near: Setting, found: Analysis, floor: float, cut: float, zooms: int = 0) -> float:
    """1/K for a floor and the constants of an analysis, in floats; not positive where the noise takes all."""
    import numpy as np

    if not math.isfinite(found.k_L):
        return -math.inf
    tasks, inner, lever = noises(near, found)

    def spare(s, x, M, second: bool):
        """(1 + s + x) times the mean step."""
        mean = 1 / (found.k_L + found.k_rho * (s + x))
        if math.isfinite(floor):
            per = floor * M
            mean = mean - np.maximum(tasks / per, inner / per + lever * ((x / per) ** 2 if second else 4 / per))
        return (1 + s + x) * mean

    return _lowest(spare, cut, zooms)


def smallest_floor(near: Setting, found: Analysis, K: float, cut: float, zooms: int = 0) -> float:
    """The least floor constant that leaves K, in floats; inf if none."""
    import numpy as np

    if not max(found.k_L, found.k_rho) < K:
        return math.inf
    tasks, inner, lever = noises(near, found)

    def minus_floor(s, x, M, second: bool):
        spare = M * (1 / (found.k_L + found.k_rho * (s + x)) - 1 / (K * (1 + s + x)))
        rest = (inner + np.sqrt(inner**2 + 4 * spare * lever * x**2 / M)) / 2 if second else inner + 4 * lever
        return -np.maximum(tasks, rest) / spare

    return -_lowest(minus_floor, cut, zooms)


def _lowest(value: Callable, cut: float, zooms: int) -> float:
    """The smallest value over (s, x), M = max(1 + s, x) = 1 + r and the smaller of s, x in proportion tau to r or M.

    The grid is drawn together about its smallest value `zooms` times; the bias has its second branch for r <= cut.
    """
    import numpy as np

    lowest = math.inf
    for side, second in itertools.product("sx", (True, False) if cut else (False,)):
        low, high = (0.0, cut) if second else (cut, 1e7)
        r = np.unique(np.clip(np.concatenate([[low], np.geomspace(1e-3, max(high, 1e-3), 30)]), low, high))
        tau = np.linspace(0, 1, 5)
        for _ in range(zooms + 1):
            row, column = r[:, None], tau[None, :]
            s, x = (row, column * (1 + row)) if side == "s" else (column * row, 1 + row)
            values = value(s, x, 1 + row, second) + 0 * column
            at_r, at_tau = np.unravel_index(values.argmin(), values.shape)
            lowest = min(lowest, float(values[at_r, at_tau]))
            r = np.linspace(r[max(at_r - 1, 0)], r[min(at_r + 1, len(r) - 1)], 9)
            tau = np.linspace(tau[max(at_tau - 1, 0)], tau[min(at_tau + 1, len(tau) - 1)], 9)
    return lowest


def noises(setting: Setting, found: Analysis):
    """What N costs a step: its first two terms, its third without the bias's cross term, and the lever of that."""
    tasks, inner = setting.noise_weights(setting.second_moment(found.phi))
    lever = found.mean * setting.bias_factors[1] ** 2 / (2 * found.eta) if setting.inner else 0 * found.mean
    return found.square * tasks, found.square * inner, lever


Value = Callable[[Setting, Analysis, float], float]


def minimise(
    setting: Setting, free: bool, value: Value, cuts: tuple[float, ...] | None = None
) -> tuple[Setting, Analysis]:
    """Search eta, phi and, if `free`, the step factor for the smallest value, at each place of the bias's cut.

    Returns:
        The setting with its factor, and an analysis in floats with its cut.
    """
    near = setting.near()
    spans = {"factor": (-5.0, 2.0)} if free else {}
    spans |= {"eta": (-20.0, -0.3), "phi": (-9.0, 1.0)} if setting.inner else {}

    def put(point: tuple[float, ...]) -> tuple[Setting, Analysis]:
        at = dict(zip(spans, map(math.exp, point), strict=True))
        here = _with_factor(near, at["factor"]) if free else near
        return here, sketch(here, at.get("eta", 0.0), at.get("phi", 0.0))

    def nested(point: tuple[float, ...], cut: float) -> tuple[float, tuple[float, ...]]:
        if len(point) == len(spans):
            return value(*put(point), cut), point
        return _golden(lambda last: nested((*point, last), cut), *list(spans.values())[len(point)])

    if cuts is None:
        cuts = CUTS[::2] if free else CUTS
    best = min((*nested((), cut), cut) for cut in (cuts if setting.inner else CUTS[:1]))
    here, found = put(best[1])
    moved = replace(setting, factor=simple(here.factor)) if free else setting
    return moved, replace(found, cut=sp.Rational(best[2]))


def _golden(value: Callable[[float], tuple], low: float, high: float) -> tuple:
    """The smallest value of a function with one valley, by golden section; values are compared by their first entry."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = value(left), value(right)
    while high - low > 5e-3:
        if at_left[0] <= at_right[0]:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = value(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = value(right)
    return min(at_left, at_right)


def _with_factor(near: Setting, factor: float) -> Setting:
    moved = replace(near, factor=factor)
    for name in ("curvature", "bias_factors", "reach", "second_base"):
        vars(moved)[name] = vars(near)[name]
    return moved


def simple(value: float, digits: int = 4) -> sp.Rational:
    """A float rounded up to a decimal of a few digits, exactly: up is where Young weights do no harm."""
    if not value:
        return sp.S.Zero
    unit = sp.Integer(10) ** (math.floor(math.log10(value)) + 1 - digits)
    return math.ceil(value / float(unit)) * unit


def rounded_up(value: float, digits: int = 8) -> sp.Rational:
    """A decimal just above a positive float."""
    scale = sp.Integer(10) ** (digits - 1 - math.floor(math.log10(value)))
    return (sp.Integer(math.floor(value * float(scale))) + 2) / scale


def exactly(setting: Setting, eta: sp.Rational, phi: sp.Rational) -> Analysis:
    """The analysis that rational Young weights give, in rationals: exact where a supremum sits at 0 or infinity.

    Raises:
        ValueError: no decrease can be shown for this step.
    """
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
    return simple(middle) if crossing(5) > 1e-6 else sp.Integer(0)


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
