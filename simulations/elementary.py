"""Elementary functions that vectorise, give the same bits on every machine, and run on numbers and arrays alike.

sin and cos: reduction by multiples of pi/2 in two parts (Cody and Waite) and the minimax polynomials of fdlibm's
kernels; the absolute error stays below 2e-16 for |x| up to 1e5. log: fdlibm's, for normal positive numbers.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.kernels import bits_of, float_of, inlined

_TWO_OVER_PI = 2 / math.pi
_HALF_PI_HIGH, _HALF_PI_LOW = 1.57079632673412561417e00, 6.07710050650619224932e-11
_HALF_PI = math.pi / 2
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_52 = np.uint64(52)
_WHOLE, _WHOLE_ZERO = np.uint64(0x4330000000000000), 2.0**52
_ONE, _SQRT_HALF = np.uint64(0x3FF0000000000000), np.uint64(0x3FE6A09E667F3BCD)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)


@inlined
def _sin_kernel(r):
    """sin on [-pi/4, pi/4]."""
    z = r * r
    low = -1.66666666666666307295e-1 + z * (8.33333333332211858878e-3 + z * -1.98412698295895385996e-4)
    high = 2.75573136213857245213e-6 + z * (-2.50507477628578072866e-8 + z * 1.58962301576546568060e-10)
    return r + r * z * (low + z * z * z * high)


@inlined
def _cos_kernel(r):
    """cos on [-pi/4, pi/4]."""
    z = r * r
    low = 4.16666666666665929218e-2 + z * (-1.38888888888730564116e-3 + z * 2.48015872888517045348e-5)
    high = -2.75573141792967388112e-7 + z * (2.08757008419747316778e-9 + z * -1.13585365213876817300e-11)
    return 1.0 - 0.5 * z + z * z * (low + z * z * z * high)


@inlined
def _in_quarter(quarter, r):
    """sin(r + quarter pi/2), chosen by arithmetic so that it vectorises; quarter is a whole number."""
    half = np.floor(0.5 * quarter)
    odd = quarter - 2.0 * half
    sign = 1.0 - 2.0 * (half - 2.0 * np.floor(0.5 * half))
    return sign * (odd * _cos_kernel(r) + (1.0 - odd) * _sin_kernel(r))


@inlined
def sin(x):
    """Sine."""
    quarter = np.floor(x * _TWO_OVER_PI + 0.5)
    return _in_quarter(quarter, (x - quarter * _HALF_PI_HIGH) - quarter * _HALF_PI_LOW)


@inlined
def cos(x):
    """Cosine."""
    quarter = np.floor(x * _TWO_OVER_PI + 0.5)
    return _in_quarter(quarter + 1.0, (x - quarter * _HALF_PI_HIGH) - quarter * _HALF_PI_LOW)


@inlined
def turn(u):
    """Sine and cosine of u turns, u in [0, 1]."""
    quarter = np.floor(4.0 * u + 0.5)
    r = (4.0 * u - quarter) * _HALF_PI
    return _in_quarter(quarter, r), _in_quarter(quarter + 1.0, r)


@inlined
def log(x):
    """Natural logarithm of a normal positive number."""
    shifted = bits_of(x) + (_ONE - _SQRT_HALF)
    k = float_of((shifted >> _52) | _WHOLE) - (_WHOLE_ZERO + 1023.0)
    f = float_of((shifted & _MANTISSA) + _SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    odd = 0.1818357216161805012 + w * 0.1479819860511658591
    odd = z * (0.6666666666666735130 + w * (0.2857142874366239149 + w * odd))
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + odd + even) + k * _LN2_LOW)) - f)
