"""Values under trace: what a number of a kernel is computed from, each written down once however often it is met."""

from __future__ import annotations

import math
import weakref

import numpy as np

REPLICATES, COORDINATES = "r", "j"
TYPES = {"d": "double", "Q": "unsigned long long"}
NAMES = {"d": "float64", "Q": "uint64"}
_COSTS = {"number": 0, "scalar": 0, "argument": 0, "place": 0, "take": 4, "search": 20, "sum": 1}
_TEMPLATES = {"pow(": 60, "exp": 25, "log": 25, "sin(": 25, "cos(": 25, "tanh(": 30, "sqrt(": 12, " / ": 10}


class Untraceable(TypeError):
    """A kernel does something that cannot be written down as arithmetic: it runs without being fused."""


class Value:
    """One number at each place of its axes.

    op: a line of C with {0}, {1}, ... for the arguments, or one of
        number (data: the literal), scalar (its name, given at run time), argument (which, in a formula),
        place (an axis: the index along it), load (an array: its element at these axes),
        take (a table: its element of the row args[0], at this coordinate), search (a sorted array: how many of its
        entries are not above args[0]), call (a formula and which of its results),
        half (a formula of two results, the axes counted through: at element e result e % 2 of counter e // 2),
        sum (over the axis data), parts (the same by a few strided parts), whole (the sum of parts, data: how many).
    kind: "d" (float64) or "Q" (uint64).
    axes: names of the axes along which it varies.
    """

    __slots__ = ("__weakref__", "args", "axes", "data", "kind", "op")

    def __init__(self, op: str, args: tuple[Value, ...], data: object, kind: str, axes: frozenset[str]) -> None:
        self.op, self.args, self.data, self.kind, self.axes = op, args, data, kind, axes


_KNOWN: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


def value(
    op: str, args: tuple[Value, ...] = (), data: object = None, kind: str = "d", axes: frozenset[str] | None = None
) -> Value:
    """The value of this description: the same object for the same description."""
    if axes is None:
        axes = frozenset().union(*(each.axes for each in args))
    key = op, args, repr(data) if op == "number" else data, kind, axes
    found = _KNOWN.get(key)
    if found is None:
        found = _KNOWN[key] = Value(op, args, data, kind, axes)
    return found


def number(x: float | np.unsignedinteger) -> Value:
    """A literal."""
    return value("number", (), x, "Q" if isinstance(x, np.unsignedinteger) else "d")


def is_number(v: Value, x: float) -> bool:
    """Whether it is this float64 literal."""
    return v.op == "number" and v.kind == "d" and v.data == x


def own_cost(v: Value) -> float:
    """Roughly the arithmetic of one element apart from its arguments'."""
    if v.op in ("call", "half"):
        return v.data[0].cost
    if v.op == "whole":
        return 2.0 * v.data
    if v.op in _COSTS:
        return _COSTS[v.op]
    return next((cost for sign, cost in _TEMPLATES.items() if sign in v.op), 1.0)


def in_order(axes: frozenset[str]) -> tuple[str, ...]:
    """Axes as arrays have them: replicates, rows, coordinates."""
    return tuple(sorted(axes, key=lambda axis: (axis != REPLICATES, axis == COORDINATES, axis)))


def literal(x: float | np.unsignedinteger) -> str:
    """A number in C."""
    if isinstance(x, np.unsignedinteger):
        return f"{int(x)}ULL"
    if math.isnan(x):
        return "(0.0 / 0.0)"
    return f"({float(x)!r})" if math.isfinite(x) else f"({'-' if x < 0 else ''}1.0 / 0.0)"
