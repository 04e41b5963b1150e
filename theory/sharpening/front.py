"""The Pareto front of (8): multipliers by an interior-point method in floats, then constants and proof in rationals.

For weights (wF, ws, wi) the sum wF cF + ws cs + wi ci is minimised over the multipliers of
`theory.claims._second_front`, on which the three forms depend affinely.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import sympy as sp

from theory import domains
from theory.certify import Replay
from theory.claim import Version
from theory.claims import _second_front as exact_front
from theory.claims.moments import front_version
from theory.rationals import Number, exact

_HEADS = ("cF", "cs", "ci")
_DIGITS = (4, 6, 9)
_LAST = 1e9
_NEWTON_STEPS = 100


def second_moment_front(wF: Number = 1, ws: Number = 1, wi: Number = 18) -> Version:
    """(8) with the certified constants that make wF cF + ws cs + wi ci smallest, but for rounding.

    Args:
        wF, ws, wi: weights of the constants of ||grad F||^2, sigma^2 and sigma_tilde^2/D_in, positive.

    Returns:
        A version of the claim second-moment; its proof replays in exact arithmetic.

    Raises:
        ValueError: a weight is not a positive number.
    """
    import numpy as np

    weights = {"wF": wF, "ws": ws, "wi": wi}
    for name, value in weights.items():
        if not 0 < exact(value, name) < sp.oo:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    matrices, start = _matrices(), np.array(_start(), dtype=float)
    cost = np.zeros(start.size)
    cost[:3] = [float(exact(value)) for value in weights.values()]
    point, sharpness = start, 1.0
    while sharpness < _LAST:
        point = _centre(matrices, sharpness * cost, point)
        sharpness *= 8
    for version in (front_version(_rounded(point[3:], digits)) for digits in _DIGITS):
        if _replays(version):
            return version
    raise ValueError(f"no certificate was found for weights {wF}, {ws}, {wi}: take them nearer to each other")


def _rounded(found, digits: int) -> tuple[sp.Rational, ...]:
    t1, t2, t3, T00, T01, T11, symmetric = found
    multipliers = (t1, t2, t3, T00, T11 - T01**2 / T00, symmetric, T01 / T00)
    return tuple(sp.Rational(f"{m:.{digits}g}") for m in multipliers)


def _replays(version: Version) -> bool:
    replay = Replay(domains.MOMENT_BOX)
    version.proof(replay, version.constants)
    return all(step.ok for step in replay.steps)


def _start() -> list[float]:
    """A point inside: a committed one, with all constants 5 % larger."""
    *weights, c = exact_front.MULTIPLIERS["front-18"]
    t1, t2, t3, T00, rest, symmetric = weights
    constants = exact_front.constants((*weights, c))
    return [*(float(constants[key]) * 1.05 for key in _HEADS), t1, t2, t3, T00, T00 * c, rest + T00 * c**2, symmetric]


@cache
def _matrices() -> list:
    """Each condition as an array (1 + variables, k, k): constant part first, then one matrix a variable."""
    import numpy as np

    symbols = [sp.Symbol(key) for key in _HEADS] + list(sp.symbols("t1 t2 t3 T00 T01 T11 s"))
    *_, t1, t2, t3, T00, T01, T11, symmetric = symbols
    multipliers = (t1, t2, t3, T00, T11 - T01**2 / T00, symmetric, T01 / T00)
    conditions = []
    for key, (vectors, head, Q) in exact_front.parts(multipliers).items():
        conditions.append(sp.hessian(sp.expand(sp.Symbol(key) * head**2 - Q), vectors) / 2)
    conditions += [sp.Matrix([[T00, T01], [T01, T11]]), *(sp.Matrix([[t]]) for t in (t1, t2, t3))]
    zero = dict.fromkeys(symbols, 0)
    return [
        np.array([m.subs(zero), *(m.diff(x) for x in symbols)], dtype=float)
        for m in (condition.applyfunc(sp.expand) for condition in conditions)
    ]


def _forms(matrices: list, point) -> Iterator:
    import numpy as np

    return (m[0] + np.tensordot(point, m[1:], 1) for m in matrices)


def _barrier(matrices: list, cost, point) -> float:
    """cost . point less the log determinants of the conditions; inf outside."""
    import numpy as np

    value = float(cost @ point)
    for form in _forms(matrices, point):
        if np.linalg.eigvalsh(form)[0] <= 0:
            return np.inf
        value -= np.linalg.slogdet(form)[1]
    return value


def _centre(matrices: list, cost, point):
    """Newton's method with halving steps on the barrier."""
    import numpy as np

    value = _barrier(matrices, cost, point)
    for _ in range(_NEWTON_STEPS):
        slope, curvature = cost.copy(), np.zeros((cost.size, cost.size))
        for m, form in zip(matrices, _forms(matrices, point), strict=True):
            inverse = np.linalg.solve(form, m[1:])
            slope -= np.einsum("nii->n", inverse)
            curvature += np.einsum("nij,mji->nm", inverse, inverse)
        direction = -np.linalg.solve(curvature, slope)
        decrement, step = float(-slope @ direction), 1.0
        if decrement < 1e-8:
            break
        while not (lower := _barrier(matrices, cost, point + step * direction)) <= value - step * decrement / 10:
            step /= 2
            if step < 1e-12:
                return point
        point, value = point + step * direction, lower
    return point
