"""What stands for `np` in a kernel under trace, and the forms of helpers that only arrays under trace need."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulations.blocks import gather
from simulations.fused.lazy import Axis, Block, Lazy, call, lazy
from simulations.fused.values import COORDINATES, Untraceable, value
from simulations.kernels import fma
from simulations.philox import add_normals, draw_tasks, normal_pair, uniform_pair

_FUNCTIONS = ("floor", "sqrt", "exp", "log", "log1p", "expm1", "sin", "cos", "tanh")
_LARGEST = "1.7976931348623157e308"


class _Kind(str):
    """A kind of numbers, which also turns numbers into it."""

    __slots__ = ()

    def __call__(self, x: object):
        if not isinstance(x, Lazy):
            return np.uint64(x) if self == "Q" else float(x)
        return x if x.kind == self else call(f"({'unsigned long long' if self == 'Q' else 'double'}){{0}}", self, x)


def _function(name: str) -> Callable:
    return lambda x: call(f"{name}({{0}})", "d", x)


def _extreme(name: str, sign: str) -> Callable:
    def found(x, y):
        if lazy(x).kind == "Q":
            return call(f"{{0}} {sign} {{1}} ? {{0}} : {{1}}", "Q", x, y)
        return call(f"{name}({{0}}, {{1}})", "d", x, y)

    return found


def _full(shape: object, fill: object) -> object:
    """A block, or, where the first lengths have no name, a list of them."""
    shape = shape if isinstance(shape, tuple) else (shape,)
    if isinstance(shape[0], Axis) or len(shape) == 1:
        return Block(shape if isinstance(shape[0], Axis) else (1,), None if fill is None else lazy(fill).value)
    return [_full(shape[1:], fill) for _ in range(shape[0])]


class Namespace:
    """`np` for kernels under trace; forms: what stands for a helper there, where its form for arrays does not."""

    def __init__(self) -> None:
        self.uint64, self.float64, self.abs = _Kind("Q"), _Kind("d"), abs
        self.inf, self.nan, self.pi, self.newaxis = math.inf, math.nan, math.pi, None
        self.maximum, self.minimum = _extreme("fmax", ">"), _extreme("fmin", "<")
        self.forms = {add_normals: _add_normals, draw_tasks: _draw_tasks, gather: _gather, fma: _fma}
        for name in _FUNCTIONS:
            setattr(self, name, _function(name))

    def __getattr__(self, name: str):
        raise Untraceable(f"np.{name} cannot be fused")

    def where(self, holds: Lazy, x: object, y: object) -> Lazy:
        """np.where."""
        return call("{0} != 0.0 ? {1} : {2}", "d", holds, x, y)

    def isfinite(self, x: Lazy) -> Lazy:
        """1.0 for a finite number, else 0.0."""
        return call(f"(double)(fabs({{0}}) <= {_LARGEST})", "d", x)

    def empty(self, shape: object, dtype: object = None):
        """A block that is to be written before it is read."""
        return _full(shape, None)

    def zeros(self, shape: object, dtype: object = None):
        """A block of zeros."""
        return _full(shape, 0.0)

    def full(self, shape: object, fill: object, dtype: object = None):
        """A block of one number."""
        return _full(shape, fill)

    def empty_like(self, array: Lazy):
        """A block of the shape of another."""
        return _full(array.shape, None)

    def zeros_like(self, array: Lazy):
        """Zeros in the shape of a block."""
        return _full(array.shape, 0.0)


def _fma(x, y, z):
    """Rounded once, as where Numba compiles it."""
    return call("fma({0}, {1}, {2})", "d", x, y, z)


def _halves(pair: object, address: tuple, block: Block) -> Lazy:
    """The two results of `pair`, in turn along the elements that a replicate has in a block."""
    from simulations.fused.formulas import formula

    given = [lazy(each) for each in address]
    counted = tuple(axis.name for axis in block.dims[1:] if isinstance(axis, Axis))
    made = formula(pair, ("Q", type(address)(*"Q" * len(address))))
    parts = tuple(each.value for each in given)
    axes = frozenset(counted).union(*(each.axes for each in parts))
    return Lazy(value("half", parts, (made, counted), axes=axes), block.dims)


def _add_normals(block, scale, address):
    block += scale * _halves(normal_pair, address, block)


def _draw_tasks(law, address, picks):
    u = _halves(uniform_pair, address, picks)
    tasks = law.cumulative.dims[-1]
    below = value("search", (u.value,), (law.cumulative.value.data, int(tasks)), "Q")
    picks[...] = NAMESPACE.minimum(Lazy(below, picks.dims), np.uint64(tasks - 1))


def _gather(table, picks, parameters):
    for source, target in zip(table, parameters, strict=True):
        name, length = source.value.data, int(source.dims[-1])
        axes = picks.value.axes | {COORDINATES}
        target[...] = Lazy(value("take", (picks.value,), (name, length), axes=axes), target.dims)


NAMESPACE = Namespace()
