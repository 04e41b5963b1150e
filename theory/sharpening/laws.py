"""The law of the outer step: what E[beta] and E[beta^2] are worth at a point, as functions of y = rho alpha E||g_i||/L.

Formulas here take SymPy symbols and NumPy arrays alike: the proof and the search share them. L = 1.

The random step is beta = c/Z, Z = 4 + Y, Y = (2 rho alpha/B') sum ||grad~ f_j|| >= 0. With B' and D_step at or above
their minimum, m = E Y lies in [2y, 2y + 1] and Var Y <= 8 + (4 y^2 + 1 - m^2)/B'. A bound of E[A/Z - Q/Z^2] over all
such distributions is a linear programme; its dual is a quadratic below the function,

    A/Z - Q/Z^2 >= phi + d (Z - z) - v (Z - z)^2  on Z >= 4,

phi and d being value and slope at z. The difference is (Z - z)^2 times a function of 1/Z that is convex, so that the
least multiplier is v = max{0, (Q (8 + z) - 4 A z)/(16 z^3)}, at Z = 4. With m = 2y + s and z = 4 + 2y + delta,
E(Z - z)^2 <= 9 + delta^2 - 2 s delta. Where v = 0 will do, delta = 1 is best; elsewhere delta = 0 is taken.
"""

from __future__ import annotations

from theory.sharpening.setting import Setting


def smooth(setting: Setting, y):
    """S at y."""
    p, r = setting.curvature
    return p + r * y


def is_random(setting: Setting) -> bool:
    """Whether the step enters through its distribution."""
    return setting.step == "published" and setting.law == "distribution"


def moments(setting: Setting, y):
    """(E beta from below, E beta^2 from above): the step itself, or what FMO Lemma 4.11 says of the random one."""
    step = setting.factor / (smooth(setting, y) if setting.step == "sharp" else 4 + 2 * y)
    return (step, step**2) if setting.step != "published" else (4 * step / 5, 25 * step**2 / 8)


def pair(setting: Setting, y, linear, weight):
    """(A, Q) of the distribution bound, for E[beta] linear - (S/2) E[beta^2] weight."""
    return setting.factor * linear, smooth(setting, y) / 2 * setting.factor**2 * weight


def tangent(A, Q, z):
    """Value and slope of A/Z - Q/Z^2 at z."""
    return A / z - Q / z**2, -A / z**2 + 2 * Q / z**3


def excess(A, Q, z):
    """16 z^3 v without the maximum: negative where the tangent itself lies below."""
    return Q * (8 + z) - 4 * A * z


def ceiling(y, delta):
    """At least E[1/Z^2] of the random step, for any delta >= 0: the same dual at z = 4 + 2y + delta."""
    z = 4 + 2 * y + delta
    return 1 / z**2 + 2 * delta / z**3 + (8 + z) * (9 + delta**2) / (16 * z**3)


def square(setting: Setting, y):
    """At least (S/2) E[beta^2]; for the random step delta = 9/(2y), so y is positive."""
    if is_random(setting):
        return smooth(setting, y) / 2 * setting.factor**2 * ceiling(y, 9 / (2 * y))
    return smooth(setting, y) / 2 * moments(setting, y)[1]


def gains(setting: Setting, y, linear, weight, turned: bool):
    """Lower bounds of E[beta] linear - (S/2) E[beta^2] weight; the smallest holds. `turned`: with the variance."""
    if not is_random(setting):
        first, second = moments(setting, y)
        return (first * linear - smooth(setting, y) / 2 * second * weight,)
    A, Q = pair(setting, y, linear, weight)
    z = (4 if turned else 5) + 2 * y
    value, slope = tangent(A, Q, z)
    v = excess(A, Q, z) / (16 * z**3)
    return (value - 9 * v, value + slope - 9 * v) if turned else (value,)
