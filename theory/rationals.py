"""From what a person types to exact numbers: ints, Fractions, decimal and "1/6" strings, floats taken at face value."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Integral, Rational

import sympy as sp

Number = int | float | str | Fraction | sp.Expr


def exact(value: Number, name: str = "value") -> sp.Expr:
    """The exact number meant by `value`.

    Args:
        value: an int, a Fraction, a string such as "1/6" or "0.05", a SymPy number, or a float, which stands for the
            binary fraction it is. math.inf and "inf" stand for infinitely many samples.
        name: what the value is called in an error.

    Returns:
        A SymPy Rational, an exact SymPy number, or sympy.oo.

    Raises:
        ValueError: the value is not a number, or is NaN.
    """
    if isinstance(value, sp.Expr) and value.is_number:
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        if isinstance(value, Integral | Rational):
            return sp.Rational(int(value.numerator), int(value.denominator))
        if isinstance(value, str) and value.strip() != "inf":
            fraction = Fraction(value)
            return sp.Rational(fraction.numerator, fraction.denominator)
        number = float(value)
        if math.isnan(number):
            raise ValueError
        return sp.oo * (1 if number > 0 else -1) if math.isinf(number) else sp.Rational(*number.as_integer_ratio())
    except (TypeError, ValueError, ZeroDivisionError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None


def is_rounded(value: Number) -> bool:
    """True if the value carries rounding, that is if it came as a float."""
    return not isinstance(value, int | str | Fraction | sp.Expr | Integral)
