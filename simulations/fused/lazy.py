"""Arrays under trace: what NumPy arrays are to kernels, with values that are written down and not computed."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from simulations.fused.values import COORDINATES, NAMES, Untraceable, Value, is_number, number, value

_MOST_PARTS, _PAIRS_A_PART = 32, 8


class Axis(int):
    """The length of a named axis."""

    def __new__(cls, length: int, name: str) -> Axis:
        self = super().__new__(cls, length)
        self.name = name
        return self


class Lazy:
    """An array of a kernel under trace.

    dims: for each dimension its Axis, or 1 where the array does not vary and broadcasts.
    """

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, value: Value, dims: tuple = ()) -> None:
        self.value, self.dims = value, dims

    @property
    def kind(self) -> str:
        """Of its numbers: "d" for float64, "Q" for uint64."""
        return self.value.kind

    @property
    def shape(self) -> tuple:
        """The dims."""
        return self.dims

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise Untraceable(f"{name} of an array cannot be fused")

    def __getitem__(self, key: object) -> Lazy:
        return Lazy(self.value, _indexed(self.dims, key))

    def sum(self, axis: int) -> Lazy:
        """Over an axis; that over coordinates in the order of `parts`."""
        along, place = self.dims[axis], axis % len(self.dims)
        dims = self.dims[:place] + self.dims[place + 1 :]
        if not isinstance(along, Axis) or along.name not in self.value.axes:
            return Lazy(self.value, dims) * float(along)
        left = self.value.axes - {along.name}
        if along.name != COORDINATES:
            return Lazy(value("sum", (self.value,), along.name, axes=left), dims)
        count = parts(along)
        strided = value("parts", (self.value,), count, axes=left)
        return Lazy(value("whole", (strided,), count, axes=left), dims)

    def view(self, kind: str) -> Lazy:
        """The same 64 bits as the other kind."""
        return call(f"{'__double_as_longlong' if kind == 'Q' else '__longlong_as_double'}({{0}})", kind, self)

    def copy(self) -> Lazy:
        """The array as it is now."""
        return Lazy(self.value, self.dims)

    def __bool__(self):
        raise Untraceable("a choice that depends on a traced number cannot be fused: choose by arithmetic or np.where")

    def _refuse(self, *_):
        raise Untraceable("a number under trace has no value yet")

    __float__ = __int__ = __index__ = __iter__ = __len__ = __matmul__ = __rmatmul__ = __setitem__ = _refuse

    def __neg__(self):
        return call("-{0}", self.kind, self)

    def __abs__(self):
        return call("fabs({0})", "d", self)

    def __pow__(self, power: object):
        square = not isinstance(power, Lazy) and power == 2
        return self * self if square else call("pow({0}, {1})", "d", self, power)


class Block(Lazy):
    """An array that kernels write to: what it was last set to."""

    def __init__(self, dims: tuple, content: Value | None = None) -> None:
        self.dims, self.content = dims, content

    @property
    def value(self) -> Value:
        """What was last written to it.

        Raises:
            Untraceable: nothing was.
        """
        if self.content is None:
            raise Untraceable("scratch is read before it is written")
        return self.content

    def __setitem__(self, key: object, what: object) -> None:
        if not (key is Ellipsis or key == slice(None)):
            raise Untraceable("a part of a block is written")
        what = lazy(what)
        if broadcast(self.dims, what.dims) != self.dims:
            raise ValueError(f"an array of {what.dims} does not fit into one of {self.dims}")
        self.content = what.value

    def _updated(self, sign: Callable, other: object) -> Block:
        self[...] = sign(self, other)
        return self

    def __iadd__(self, other):
        return self._updated(operator.add, other)

    def __isub__(self, other):
        return self._updated(operator.sub, other)

    def __imul__(self, other):
        return self._updated(operator.mul, other)


def lazy(x: object) -> Lazy:
    """A number as an array without axes; what is one already.

    Raises:
        Untraceable: an array of numbers.
    """
    if isinstance(x, Lazy):
        return x
    if isinstance(x, np.ndarray) and x.ndim:
        raise Untraceable("an array that is no input of the kernel")
    return Lazy(number(x if isinstance(x, np.unsignedinteger) else float(x)))


def call(op: str, kind: str, *operands: object) -> Lazy:
    """An operation on arrays that broadcast as NumPy's do."""
    parts = [lazy(each) for each in operands]
    dims = ()
    for each in parts:
        dims = broadcast(dims, each.dims)
    return Lazy(value(op, tuple(each.value for each in parts), kind=kind), dims)


def broadcast(one: tuple, other: tuple) -> tuple:
    """NumPy's rule on named axes.

    Raises:
        Untraceable: two axes of different names meet.
    """
    length = max(len(one), len(other))
    pairs = zip((1,) * (length - len(one)) + one, (1,) * (length - len(other)) + other, strict=True)
    return tuple(_met(a, b) for a, b in pairs)


def _met(one: int, other: int) -> int:
    if not isinstance(one, Axis):
        return other
    if isinstance(other, Axis) and one.name != other.name:
        raise Untraceable(f"axes {one.name} and {other.name} meet")
    return one


def _indexed(dims: tuple, key: object) -> tuple:
    """Dimensions after indexing by slice(None), None and Ellipsis."""
    key = key if isinstance(key, tuple) else (key,)
    taken = sum(each is not None and each is not Ellipsis for each in key)
    left, found = list(dims), []
    for each in key:
        if each is None:
            found.append(1)
        elif each is Ellipsis:
            found += [left.pop(0) for _ in range(len(dims) - taken)]
        elif isinstance(each, slice) and each == slice(None):
            found.append(left.pop(0))
        else:
            raise Untraceable(f"an array under trace is indexed by {each!r}")
    return (*found, *left)


def parts(d: int) -> int:
    """How many strided parts a sum over d coordinates has: enough threads for long rows, whatever else there is."""
    wanted = min(_MOST_PARTS, max(1, d // 2 // _PAIRS_A_PART))
    return 1 << (wanted.bit_length() - 1)


def _folded(sign: str, one: Lazy, other: Lazy) -> Lazy | None:
    """What x + 0, 0 + x, 1 x and x 1 are."""
    for kept, left in ((one, other), (other, one)):
        if is_number(left.value, {"+": 0.0, "*": 1.0}.get(sign)):
            return Lazy(kept.value, broadcast(one.dims, other.dims))
    return None


def _operator(sign: str, flipped: bool) -> Callable:
    def apply(self: Lazy, other: object) -> Lazy:
        one, other = (lazy(other), self) if flipped else (self, lazy(other))
        if one.kind != other.kind:
            raise Untraceable(f"{sign} of {NAMES[self.kind]} and {NAMES[lazy(other).kind]} cannot be fused")
        if self.kind == "d" and sign in ("&", "|", "^", ">>", "<<"):
            raise Untraceable(f"{sign} of float64 cannot be fused")
        folded = _folded(sign, one, other)
        return call(f"{{0}} {sign} {{1}}", self.kind, one, other) if folded is None else folded

    return apply


for _method, _sign in (
    *(("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")),
    *(("and", "&"), ("or", "|"), ("xor", "^"), ("rshift", ">>"), ("lshift", "<<")),
):
    setattr(Lazy, f"__{_method}__", _operator(_sign, False))
    setattr(Lazy, f"__r{_method}__", _operator(_sign, True))


def _comparison(sign: str) -> Callable:
    """1.0 where it holds, else 0.0."""
    return lambda self, other: call(f"(double)({{0}} {sign} {{1}})", "d", self, other)


for _method, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    setattr(Lazy, f"__{_method}__", _comparison(_sign))
