"""One pass over memory for a whole formula: a helper's own source, traced once, becomes one CUDA kernel for CuPy.

The helper is run on symbols instead of numbers; every operation notes one line of C. Only what arithmetic and `np` can
say can be traced, which is what lets a helper run on arrays at all. Products are not contracted into sums
(--fmad=false), so each operation rounds as on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np

from simulations.kernels import on_arrays

_TYPES = {"d": "double", "Q": "unsigned long long"}
_NAMES = {"d": "float64", "Q": "uint64"}
_FUNCTIONS = ("floor", "sqrt", "exp", "log", "log1p", "expm1", "sin", "cos", "tanh")


class Symbol:
    """A number of a formula under trace: kind "d" (float64) or "Q" (uint64), its name in C, and the lines so far."""

    __array_ufunc__ = None

    def __init__(self, kind: str, name: str, lines: list[str]) -> None:
        self.kind, self.name, self.lines = kind, name, lines

    def note(self, kind: str, text: str) -> Symbol:
        """A new symbol, defined by this line."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"const {_TYPES[kind]} {name} = {text};")
        return Symbol(kind, name, self.lines)

    def _with(self, sign: str, other: object, flipped: bool) -> Symbol:
        kind, text = (other.kind, other.name) if isinstance(other, Symbol) else _literal(other)
        if kind != self.kind:
            raise TypeError(f"{sign} of {_NAMES[self.kind]} and {_NAMES[kind]} cannot be fused")
        left, right = (text, self.name) if flipped else (self.name, text)
        return self.note(kind, f"{left} {sign} {right}")

    def __neg__(self) -> Symbol:
        return self.note(self.kind, f"-{self.name}")

    def __abs__(self) -> Symbol:
        return self.note(self.kind, f"fabs({self.name})")

    def view(self, kind: str) -> Symbol:
        """The same 64 bits as the other kind."""
        return self.note(kind, f"{'__double_as_longlong' if kind == 'Q' else '__longlong_as_double'}({self.name})")


def _operator(sign: str, flipped: bool) -> Callable:
    return lambda self, other: self._with(sign, other, flipped)


for _method, _sign in (
    *(("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")),
    *(("and", "&"), ("or", "|"), ("xor", "^"), ("rshift", ">>"), ("lshift", "<<")),
):
    setattr(Symbol, f"__{_method}__", _operator(_sign, False))
    setattr(Symbol, f"__r{_method}__", _operator(_sign, True))


def _literal(number: object) -> tuple[str, str]:
    if isinstance(number, np.unsignedinteger):
        return "Q", f"{int(number)}ULL"
    return "d", f"({float(number)!r})"


def _call(name: str) -> Callable:
    return lambda x: x.note("d", f"{name}({x.name})")


class _Tracer(SimpleNamespace):
    """Stands for `np` in a formula under trace."""

    __hash__ = object.__hash__


_TRACER = _Tracer(
    uint64="Q",
    float64="d",
    abs=abs,
    maximum=lambda x, y: x.note("d", f"fmax({x.name}, {y.name if isinstance(y, Symbol) else _literal(y)[1]})"),
    **{name: _call(name) for name in _FUNCTIONS},
)


def traced(kernel: object, form: tuple) -> tuple[list[str], list[Symbol]]:
    """The lines of C of a helper and the symbols it returns.

    Args:
        kernel: an inlined helper.
        form: its arguments, with "d" or "Q" for each number; the inputs are a0, a1, ... in order.
    """
    lines: list[str] = []
    count = iter(range(len(_leaves(form))))

    def symbols(part):
        if isinstance(part, str):
            return Symbol(part, f"a{next(count)}", lines)
        inner = [symbols(each) for each in part]
        return type(part)(*inner) if hasattr(part, "_fields") else tuple(inner)

    found = on_arrays(kernel, _TRACER)(*symbols(form))
    return lines, list(found) if isinstance(found, tuple) else [found]


def _leaves(part: object) -> list:
    return [leaf for each in part for leaf in _leaves(each)] if isinstance(part, tuple) else [part]


def _form(part: object) -> object:
    if isinstance(part, tuple):
        inner = [_form(each) for each in part]
        return type(part)(*inner) if hasattr(part, "_fields") else tuple(inner)
    return "Q" if getattr(part, "dtype", None) == np.uint64 else "d"


class Fused:
    """A helper as one CUDA kernel for each form of its arguments."""

    def __init__(self, kernel: object, xp: ModuleType) -> None:
        self.kernel, self.xp, self.built = kernel, xp, {}

    def __call__(self, *arguments):
        form = _form(arguments)
        if form not in self.built:
            lines, found = traced(self.kernel, form)
            inputs = ", ".join(f"{_NAMES[kind]} a{n}" for n, kind in enumerate(_leaves(form)))
            outputs = ", ".join(f"{_NAMES[each.kind]} o{n}" for n, each in enumerate(found))
            lines += [f"o{n} = {each.name};" for n, each in enumerate(found)]
            name = getattr(self.kernel, "__name__", "formula")
            self.built[form] = self.xp.ElementwiseKernel(
                inputs, outputs, "\n".join(lines), f"mamlbound_{name}", options=("--fmad=false",)
            )
        return self.built[form](*_leaves(arguments))


def elementwise(kernel: object, xp: ModuleType) -> Callable:
    """A helper on arrays: as it stands on NumPy, in one pass on CuPy."""
    return on_arrays(kernel, xp) if xp is np else Fused(kernel, xp)
