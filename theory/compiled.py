"""Expressions as fast Python functions on Fractions: exact wherever no root and no infinite batch enters."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter


class _FractionPrinter(PythonCodePrinter):
    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"Fraction({expr.p}, {expr.q})"

    def _print_Max(self, expr: sp.Max) -> str:
        return f"max({', '.join(map(self._print, expr.args))})"

    def _print_Min(self, expr: sp.Min) -> str:
        return f"min({', '.join(map(self._print, expr.args))})"


@cache
def compiled(expression: sp.Expr) -> tuple[tuple[sp.Symbol, ...], Callable]:
    """The symbols of an expression, in order, and the function of their values."""
    symbols = tuple(sorted(expression.free_symbols, key=str))
    printer = _FractionPrinter({"fully_qualified_modules": False})
    names = {"Fraction": Fraction, "sqrt": math.sqrt, "max": max, "min": min}
    return symbols, sp.lambdify(symbols, expression, modules=[names], printer=printer)


def quick(value: sp.Expr) -> Fraction | float | None:
    """A rational as a Fraction, infinity as a float, anything else as None."""
    if value.is_Rational:
        return Fraction(value.p, value.q)
    return math.inf if value is sp.oo else None


def quick_value(expression: sp.Expr, point: dict[sp.Symbol, Fraction | float | None]) -> Fraction | float:
    """The expression at a point, or NaN where only slower exact arithmetic can tell."""
    symbols, function = compiled(expression)
    values = [point[symbol] for symbol in symbols]
    if any(value is None for value in values):
        return math.nan
    try:
        return function(*values)
    except (OverflowError, ZeroDivisionError):
        return math.nan
