"""One formula of numbers, a helper's own source, as lines of C: traced once for each form of its arguments.

Only what arithmetic and `np` can say can be traced, which is what lets a helper run on arrays at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np

from simulations.fused.lazy import Lazy, broadcast, lazy
from simulations.fused.namespace import NAMESPACE
from simulations.fused.values import NAMES, TYPES, Value, literal, own_cost, value
from simulations.kernels import on_arrays

OPTIONS = ("--fmad=false",)
"""Products are not contracted into sums, so that each operation rounds as on the CPU."""


class Formula:
    """A helper as C.

    inputs: the kinds of its arguments a0, a1, ...; lines: of C; outputs: (kind, expression) of each result.
    cost: roughly, in operations on float64.
    """

    def __init__(self, inputs: str, found: list[Value]) -> None:
        self.inputs, self.lines, self.cost, self._names = inputs, [], 0.0, {}
        self.outputs = [(each.kind, self._name(each)) for each in found]

    def _name(self, v: Value) -> str:
        if v.op in ("number", "argument"):
            return literal(v.data) if v.op == "number" else f"a{v.data}"
        if v not in self._names:
            text = v.op.format(*map(self._name, v.args))
            self._names[v] = f"t{len(self.lines)}"
            self.lines.append(f"const {TYPES[v.kind]} {self._names[v]} = {text};")
            self.cost += own_cost(v)
        return self._names[v]

    def source(self, name: str) -> str:
        """As a function of the GPU, which writes its results to o0, o1, ..."""
        given = [f"{TYPES[kind]} a{n}" for n, kind in enumerate(self.inputs)]
        given += [f"{TYPES[kind]} *o{n}" for n, (kind, _) in enumerate(self.outputs)]
        results = [f"*o{n} = {text};" for n, (_, text) in enumerate(self.outputs)]
        body = "\n    ".join([*self.lines, *results])
        return f"static __device__ __forceinline__ void {name}({', '.join(given)}) {{\n    {body}\n}}\n"


@cache
def formula(kernel: object, form: tuple) -> Formula:
    """A helper traced.

    Args:
        kernel: an inlined helper.
        form: its arguments, with "d" or "Q" for each number.

    Raises:
        Untraceable: it is no formula.
    """
    kinds = "".join(leaves(form))
    arguments = iter([Lazy(value("argument", (), n, kind)) for n, kind in enumerate(kinds)])
    found = on_arrays(kernel, NAMESPACE)(*_filled(form, arguments))
    return Formula(kinds, [lazy(each).value for each in (found if isinstance(found, tuple) else (found,))])


def leaves(part: object) -> list:
    """The numbers in nested tuples."""
    return [leaf for each in part for leaf in leaves(each)] if isinstance(part, tuple) else [part]


def _filled(form: tuple, arguments) -> tuple:
    inner = [_filled(each, arguments) if isinstance(each, tuple) else next(arguments) for each in form]
    return type(form)(*inner) if hasattr(form, "_fields") else tuple(inner)


def _form(part: object) -> object:
    if isinstance(part, tuple):
        inner = [_form(each) for each in part]
        return type(part)(*inner) if hasattr(part, "_fields") else tuple(inner)
    if isinstance(part, Lazy):
        return part.kind
    return "Q" if getattr(part, "dtype", None) == np.uint64 else "d"


class Fused:
    """A helper as one CUDA kernel for each form of its arguments."""

    def __init__(self, kernel: object, xp: ModuleType) -> None:
        self.kernel, self.xp, self.built = kernel, xp, {}

    def __call__(self, *arguments):
        form = _form(arguments)
        if form not in self.built:
            made = formula(self.kernel, form)
            inputs = ", ".join(f"{NAMES[kind]} a{n}" for n, kind in enumerate(made.inputs))
            outputs = ", ".join(f"{NAMES[kind]} o{n}" for n, (kind, _) in enumerate(made.outputs))
            lines = [*made.lines, *(f"o{n} = {text};" for n, (_, text) in enumerate(made.outputs))]
            name = getattr(self.kernel, "__name__", "formula")
            self.built[form] = self.xp.ElementwiseKernel(
                inputs, outputs, "\n".join(lines), f"mamlbound_{name}", options=OPTIONS
            )
        return self.built[form](*leaves(arguments))


class Called:
    """A helper on arrays under trace: a call of its formula, written down."""

    def __init__(self, kernel: object) -> None:
        self.kernel = kernel

    def __call__(self, *arguments):
        made, given, dims = formula(self.kernel, _form(arguments)), [lazy(each) for each in leaves(arguments)], ()
        for each in given:
            dims = broadcast(dims, each.dims)
        parts = tuple(each.value for each in given)
        found = [Lazy(value("call", parts, (made, n), kind), dims) for n, (kind, _) in enumerate(made.outputs)]
        return tuple(found) if len(found) > 1 else found[0]


def elementwise(kernel: object, xp: object) -> Callable:
    """A helper on arrays: as it stands on NumPy, in one pass on CuPy, one call under trace."""
    if xp is np:
        return on_arrays(kernel, np)
    return Called(kernel) if xp is NAMESPACE else Fused(kernel, xp)
