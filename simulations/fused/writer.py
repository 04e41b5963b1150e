"""Values as lines of C within a kernel: where each is found, under which names, and what the kernel is called with."""

from __future__ import annotations

from collections.abc import Mapping

from simulations.fused.schedule import PARTS, Kernel
from simulations.fused.values import COORDINATES, REPLICATES, TYPES, Untraceable, Value, in_order, literal, value

_PLAIN = (0.0, 0.5, 1.0, -1.0, 2.0)
_WHOLE = """static __device__ double whole(const double *parts, unsigned count) {
    double total = 0.0;
    for (unsigned c = 0; c < count; c++) total += parts[c];
    return total;
}
"""
_ABOVE = """static __device__ unsigned long long above(const double *sorted, unsigned count, double x) {
    unsigned low = 0, high = count;
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (sorted[middle] <= x) low = middle + 1; else high = middle;
    }
    return low;
}
"""


class Writer:
    """The lines of one kernel in the making.

    along: the axis a thread takes two neighbours of, if any; lanes: (0, 1) or (0,).
    before, inside: lines ahead of the kernel's loop and in it.
    names: of each value, one a lane.
    arguments: key -> (name, what it stands for); declared: the same in C.
    """

    def __init__(self, kernel: Kernel, sizes: Mapping[str, int]) -> None:
        self.kernel, self.sizes = kernel, sizes
        last = COORDINATES if kernel.loop == COORDINATES else (None, *kernel.space)[-1]
        self.along = None if last in (REPLICATES, PARTS, None) or sizes[last] % 2 else last
        self.lanes = (0, 1) if self.along else (0,)
        self.before, self.inside, self.names = [], [], {}
        self.arguments, self.declared, self.formulas, self.helpers = {}, [], {}, {}

    def find(self, roots: list[Value]) -> None:
        """Lines for all these values and what they need."""
        stack = [(each, False) for each in reversed(roots)]
        while stack:
            v, ready = stack.pop()
            if v in self.names:
                continue
            if ready or v in self.kernel.loads or not v.args or v.op == "whole":
                self._define(v)
            else:
                stack.append((v, True))
                stack += [(each, False) for each in reversed(v.args)]

    def lanes_of(self, v: Value) -> tuple[int, ...]:
        """One for each number of a value that a thread has."""
        return self.lanes if self.along in v.axes else (0,)

    def lines_of(self, v: Value) -> list[str]:
        """Where the lines of a value go."""
        return self.inside if self.kernel.loop in v.axes else self.before

    def array(self, kind: str, what: object, element: str, target: bool = False) -> str:
        """The name of an array among the arguments."""
        return self._argument(kind, what, f"{'' if target else 'const '}{TYPES[element]} *__restrict__")

    def flat(self, axes: tuple[str, ...], lane: int = 0) -> str:
        """Where in an array with these axes the thread is."""
        text = ""
        for axis in axes:
            here = self._index(axis, lane)
            text = f"({text} * {self.sizes[axis]} + {here})" if text else f"(unsigned long long){here}"
        return text or "0"

    def _argument(self, kind: str, what: object, declaration: str) -> str:
        key = kind, repr(what) if kind == "number" else what
        if key not in self.arguments:
            self.arguments[key] = f"p{len(self.arguments)}", (kind, what)
            self.declared.append(f"{declaration} {self.arguments[key][0]}")
        return self.arguments[key][0]

    def _index(self, axis: str, lane: int = 0) -> str:
        return f"(i_{axis} + 1)" if lane and axis == self.along else f"i_{axis}"

    def _define(self, v: Value) -> None:
        if v.op == "number" and (v.kind == "Q" or v.data in _PLAIN):
            self._same(v, literal(v.data))
        elif v.op in ("number", "scalar"):
            self._same(v, self._argument(v.op, v.data, TYPES[v.kind]))
        elif v.op == "call" and v not in self.kernel.loads:
            self._call(v)
        elif v.op == "half" and v not in self.kernel.loads:
            self._half(v)
        else:
            self._note(v, [self._text(v, lane) for lane in self.lanes_of(v)])

    def _same(self, v: Value, name: str) -> None:
        self.names[v] = [name] * len(self.lanes)

    def _note(self, v: Value, texts: list[str]) -> None:
        name = f"x{len(self.names)}"
        own = [f"{name}_{lane}" for lane in range(len(texts))]
        self.names[v] = own * (len(self.lanes) // len(own))
        self.lines_of(v).extend(
            f"const {TYPES[v.kind]} {each} = {text};" for each, text in zip(own, texts, strict=True)
        )

    def _text(self, v: Value, lane: int) -> str:
        here = self.flat(in_order(v.axes), lane)
        if v in self.kernel.loads:
            return f"{self.array('kept', v, v.kind)}[{here}]"
        if v.op == "load":
            return f"{self.array('array', v.data, v.kind)}[{here}]"
        if v.op == "whole":
            self.helpers["whole"] = _WHOLE
            return f"whole({self.array('kept', v.args[0], 'd')} + {here} * {v.data}, {v.data})"
        if v.op == "place":
            return f"(unsigned long long){self._index(v.data, lane)}"
        given = [self.names[each][lane] for each in v.args]
        if v.op == "take":
            table, length = v.data
            return f"{self.array('array', table, v.kind)}[{given[0]} * {length} + {self._index(COORDINATES, lane)}]"
        if v.op == "search":
            self.helpers["above"] = _ABOVE
            return f"above({self.array('array', v.data[0], 'd')}, {v.data[1]}, {given[0]})"
        return v.op.format(*given)

    def _call(self, v: Value) -> None:
        made = v.data[0]
        rows = [self._results(v, lane) for lane in self.lanes_of(v)] * len(self.lanes)
        for n, (kind, _) in enumerate(made.outputs):
            result = value("call", v.args, (made, n), kind, v.axes)
            self.names[result] = [row[n] for row in rows[: len(self.lanes)]]

    def _half(self, v: Value) -> None:
        """One of two results, by the element's parity; neighbours share the call."""
        counted = v.data[1]
        if any(self.along in each.axes for each in v.args):
            raise Untraceable("random numbers whose address varies along the last axis cannot be fused")
        element = self.flat(counted)
        found = self._results(v, 0, f"{element} / 2")
        if self.along and counted[-1:] == (self.along,):
            self.names[v] = found
        else:
            self._note(v, [f"{element} % 2 ? {found[1]} : {found[0]}"])

    def _results(self, v: Value, lane: int, *first: str) -> list[str]:
        """A call of v's formula: names of its results."""
        made, lines = v.data[0], self.lines_of(v)
        found = [f"x{len(self.names)}_{lane}r{n}" for n in range(len(made.outputs))]
        lines += [f"{TYPES[kind]} {name};" for (kind, _), name in zip(made.outputs, found, strict=True)]
        given = [*first, *(self.names[each][lane] for each in v.args), *(f"&{name}" for name in found)]
        name = self.formulas.setdefault(made, f"f{len(self.formulas)}")
        lines.append(f"{name}({', '.join(given)});")
        return found
