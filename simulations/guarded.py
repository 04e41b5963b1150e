"""Expressions of the theory on Arb balls, and floats as balls wide enough for what rounding may have done to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
import sympy as sp
from flint import arb, ctx, fmpq
from sympy.printing.pycode import PythonCodePrinter

from theory.rationals import Number, exact

PRECISION = 128
ROUNDING = 1e-12


class _Printer(PythonCodePrinter):
    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"ratio({expr.p}, {expr.q})"

    def _print_Max(self, expr: sp.Max) -> str:
        return f"most({', '.join(map(self._print, expr.args))})"

    def _print_Min(self, expr: sp.Min) -> str:
        return f"least({', '.join(map(self._print, expr.args))})"


def _root(x) -> arb:
    return arb(x).nonnegative_part().sqrt()


def _most(first, *others) -> arb:
    for other in others:
        first = arb(first).max(arb(other))
    return arb(first)


def _least(first, *others) -> arb:
    for other in others:
        first = arb(first).min(arb(other))
    return arb(first)


_NAMES = {"ratio": lambda p, q: arb(fmpq(p, q)), "sqrt": _root, "most": _most, "least": _least}


@cache
def _compiled(expression: sp.Expr):
    symbols = tuple(sorted(expression.free_symbols, key=str))
    printer = _Printer({"fully_qualified_modules": False})
    return symbols, sp.lambdify(symbols, expression, modules=[_NAMES], printer=printer)


@cache
def _with_exact_oracles(expression: sp.Expr, infinite: frozenset[sp.Symbol]) -> sp.Expr:
    return expression.subs(dict.fromkeys(infinite, sp.oo))


def enclosed(expression: sp.Expr, values: Mapping[sp.Symbol, arb]) -> arb:
    """The expression with balls in the places of its symbols; an infinite one is put in as a limit.

    Raises:
        KeyError: a symbol has no value.
    """
    with ctx.workprec(PRECISION):
        used = {symbol: values[symbol] for symbol in expression.free_symbols}
        infinite = frozenset(symbol for symbol, value in used.items() if value == arb("inf"))
        symbols, function = _compiled(_with_exact_oracles(expression, infinite) if infinite else expression)
        return arb(function(*(used[symbol] for symbol in symbols)))


def ball(value: Number) -> arb:
    """The number that was typed, 1/6 for "1/6"; infinity for infinity."""
    with ctx.workprec(PRECISION):
        if isinstance(value, float) and math.isinf(value):
            return arb("inf")
        number = exact(value)
        return arb(fmpq(int(number.p), int(number.q))) if number.is_Rational else arb(str(number.evalf(60)))


def around(value: float, room: float) -> arb:
    """The floats within `room` of `value`; not a number if either is not."""
    return arb(value, room) if math.isfinite(value) and math.isfinite(room) else arb("nan")


def length(vector: list[arb]) -> arb:
    """||vector||."""
    return sum((x * x for x in vector), arb(0)).nonnegative_part().sqrt()


def dot(left: list[arb], right: list[arb]) -> arb:
    """<left, right>."""
    return sum((x * y for x, y in zip(left, right, strict=True)), arb(0))


def balls_around(vector: np.ndarray, room: float) -> list[arb]:
    """Each entry within `room`."""
    return [around(float(x), room) for x in vector]


def ends(x: arb) -> tuple[float, float]:
    """The floats nearest to the ends of a ball, or NaN."""
    if not x.is_finite():
        return (math.inf, math.inf) if x == arb("inf") else (math.nan, math.nan)
    return float(x.lower()), float(x.upper())
