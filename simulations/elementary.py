"""Elementary functions that vectorise, give the same bits on every machine, and run on numbers and arrays alike.

sin and cos: reduction by multiples of pi in two parts (Cody and Waite) and minimax polynomials on [-pi/2, pi/2], whose
errors are 2e-19 and 4e-18; the absolute error stays below 3e-16 for |x| up to 1e5, and from there to 1e15 below
1e-15 |x|, a few times what the last bit of x is worth. log: fdlibm's, for normal positive numbers. Products and sums
are fused where Numba compiles them.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.kernels import bits_of, float_of, fma, held, inlined

_PER_PI = 1 / math.pi
_PI_HIGH, _PI_LOW = 3.14159265346825122834e00, 1.21542010130123841864e-10
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_52 = np.uint64(52)
_WHOLE, _WHOLE_ZERO = np.uint64(0x4330000000000000), 2.0**52
_ONE, _SQRT_HALF = np.uint64(0x3FF0000000000000), np.uint64(0x3FE6A09E667F3BCD)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)


@inlined
def _alternating(k, r):
    """(-1)^k r for a whole number k."""
    odd = fma(held(-2.0), np.floor(held(0.5) * k), k)
    return fma(held(-2.0) * odd, r, r)


@inlined
def _sin_kernel(r):
    """sin r on [-pi/2, pi/2]."""
    z = r * r
    p = fma(held(2.7184964118355552e-15), z, held(-7.642712932249838e-13))
    p = fma(p, z, held(1.6058927836661944e-10))
    p = fma(p, z, held(-2.50521066066423e-08))
    p = fma(p, z, held(2.7557319207787e-06))
    p = fma(p, z, held(-0.00019841269841185962))
    p = fma(p, z, held(0.008333333333333115))
    p = fma(p, z, held(-0.16666666666666666))
    return fma(r * z, p, r)


@inlined
def _cos_kernel(r):
    """cos r on [-pi/2, pi/2]."""
    z = r * r
    p = fma(held(4.61029418372018e-14), z, held(-1.1463039371462821e-11))
    p = fma(p, z, held(2.0876567741101435e-09))
    p = fma(p, z, held(-2.75573165252292e-07))
    p = fma(p, z, held(2.4801587279149036e-05))
    p = fma(p, z, held(-0.0013888888888785652))
    p = fma(p, z, held(0.04166666666666437))
    p = fma(p, z, held(-0.49999999999999983))
    return fma(p, z, held(1.0))


@inlined
def _halves(x):
    """k and r with x = k pi + r, r in [-pi/2, pi/2]."""
    k = np.floor(fma(x, held(_PER_PI), held(0.5)))
    return k, fma(-k, held(_PI_LOW), fma(-k, held(_PI_HIGH), x))


@inlined
def sin(x):
    """Sine."""
    k, r = _halves(x)
    return _alternating(k, _sin_kernel(r))


@inlined
def cos(x):
    """Cosine."""
    k, r = _halves(x)
    return _alternating(k, _cos_kernel(r))


@inlined
def turn(u):
    """Sine and cosine of u turns, u in [0, 1]."""
    k = np.floor(fma(held(2.0), u, held(0.5)))
    r = fma(held(2.0), u, -k) * held(math.pi)
    return _alternating(k, _sin_kernel(r)), _alternating(k, _cos_kernel(r))


@inlined
def log(x):
    """Natural logarithm of a normal positive number."""
    shifted = bits_of(x) + (_ONE - _SQRT_HALF)
    k = float_of((shifted >> _52) | _WHOLE) - held(_WHOLE_ZERO + 1023.0)
    f = float_of((shifted & _MANTISSA) + _SQRT_HALF) - held(1.0)
    s = f / (held(2.0) + f)
    z = s * s
    w = z * z
    even = fma(w, held(0.1531383769920937332), held(0.2222219843214978396))
    even = w * fma(w, even, held(0.3999999999940941908))
    odd = fma(w, held(0.1479819860511658591), held(0.1818357216161805012))
    odd = z * fma(w, fma(w, odd, held(0.2857142874366239149)), held(0.6666666666666735130))
    half = held(0.5) * f * f
    return fma(k, held(_LN2_HIGH), f - (half - fma(s, half + odd + even, k * held(_LN2_LOW))))
