"""Values cut into kernels: what a sum ends, what is cheaper kept than found again, and in which order.

A sum needs all of what it adds, so it ends a kernel. Anything else is computed again wherever it is used, unless that
costs more than keeping it: numbers of a row or a replicate that every coordinate would compute again, and elements of
whole blocks that an earlier kernel has found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulations.fused.values import COORDINATES, REPLICATES, Untraceable, Value, in_order, own_cost

PARTS = "part"
_MOST_VALUES = 20_000
_SHARED, _KEPT = 15.0, 50.0
_BLOCK_AXES = 3
_STREAMED, _NEAR, _DEAR = 25.0, 2.0, 1e6


@dataclass(eq=False)
class Kernel:
    """One kernel: a thread for each place of `space`.

    space: axes of the threads, the fastest last; loop: the axis each thread goes along, if any.
    sums: (array, value) to be summed over the loop; stores: arrays to be written at every place, one a value.
    loads: values that are read from the arrays of earlier kernels.
    """

    space: tuple[str, ...]
    loop: str | None
    sums: list[Value] = field(default_factory=list)
    stores: list[Value] = field(default_factory=list)
    loads: set[Value] = field(default_factory=set)

    @property
    def place(self) -> frozenset[str]:
        """The axes along which it can write."""
        return frozenset((*self.space, self.loop)) - {PARTS, None}

    @property
    def roots(self) -> list[Value]:
        """What a thread has to find: what it sums, and what it stores."""
        return [each.args[0] for each in self.sums] + self.stores


def schedule(outputs: list[Value]) -> list[Kernel]:
    """Kernels, in order, that find all outputs.

    Raises:
        Untraceable: there are too many operations.
    """
    every = _ordered(outputs)
    if len(every) > _MOST_VALUES:
        raise Untraceable(f"{len(every)} operations are too many for one program")
    cuts = _cuts(every)
    levels = _levels(every, cuts)
    kernels = _grouped([each for each in every if each in cuts], levels)
    _place_outputs(outputs, cuts, kernels, levels)
    ordered = [kernel for _, kernel in sorted(kernels.items(), key=lambda item: item[0][0])]
    _keep(ordered, cuts)
    return [kernel for kernel in ordered if kernel.roots]


def _ordered(roots: list[Value]) -> list[Value]:
    """All values under the roots, arguments first."""
    found: dict[Value, None] = {}
    stack = [(each, False) for each in reversed(roots)]
    while stack:
        v, done = stack.pop()
        if done:
            found.setdefault(v)
        elif v not in found:
            stack.append((v, True))
            stack += [(each, False) for each in reversed(v.args) if each not in found]
    return list(found)


def _cost(v: Value, read: bool, cost: dict[Value, float]) -> float:
    """What a value costs where it is used: one read from an array, or its own arithmetic and its arguments'."""
    if read or v.op == "load":
        return _STREAMED if len(v.axes) == _BLOCK_AXES else _NEAR
    return min(_DEAR, own_cost(v) + sum(cost[each] for each in v.args))


def _costs(every: list[Value], cuts: set[Value]) -> dict[Value, float]:
    """Of each value, the cuts being read."""
    cost: dict[Value, float] = {}
    for v in every:
        cost[v] = _cost(v, v in cuts, cost)
    return cost


def _cuts(every: list[Value]) -> set[Value]:
    """Sums, and what is shared along an axis and dear."""
    cuts = {v for v in every if v.op in ("sum", "parts")}
    cost: dict[Value, float] = {}
    users: dict[Value, set[str]] = {}
    for v in every:
        for each in v.args:
            users.setdefault(each, set()).update(v.axes - each.axes)
    for v in every:
        cost[v] = _cost(v, v in cuts, cost)
        wider = users.get(v, set())
        again = wider & {REPLICATES, COORDINATES} or (wider and v.axes <= {REPLICATES})
        if v not in cuts and v.axes and again and cost[v] > _SHARED:
            cuts.add(v)
            cost[v] = _cost(v, True, cost)
    return cuts


def _levels(every: list[Value], cuts: set[Value]) -> dict[Value, int]:
    """After how many kernels a value can be found."""
    levels: dict[Value, int] = {}
    for v in every:
        levels[v] = max((levels[each] + (each in cuts) for each in v.args), default=0)
    return levels


def _shape(v: Value) -> tuple[tuple[str, ...], str | None]:
    """Space and loop of the kernel that finds a cut."""
    if v.op == "parts":
        return (*in_order(v.axes), PARTS), COORDINATES
    return in_order(v.axes), v.data if v.op == "sum" else None


def _grouped(cuts: list[Value], levels: dict[Value, int]) -> dict[tuple, Kernel]:
    """Cuts of one level and one shape share a kernel."""
    kernels: dict[tuple, Kernel] = {}
    for v in cuts:
        key = levels[v], *_shape(v)
        kernel = kernels.setdefault(key, Kernel(*key[1:]))
        (kernel.sums if v.op in ("sum", "parts") else kernel.stores).append(v)
    return kernels


def _place_outputs(outputs: list[Value], cuts: set[Value], kernels: dict, levels: dict[Value, int]) -> None:
    """What is asked for is written by a kernel that comes by it, or by one of its own."""
    for v in dict.fromkeys(outputs):
        if v in cuts:
            continue
        passing = (kernel for kernel in kernels.values() if kernel.place == v.axes and v in _ordered(kernel.roots))
        kernel = next(passing, None)
        if kernel is None:
            key = levels[v], in_order(v.axes), None
            kernel = kernels.setdefault(key, Kernel(*key[1:]))
        kernel.stores.append(v)


def _keep(kernels: list[Kernel], cuts: set[Value]) -> None:
    """Notes in each kernel what it reads, and in earlier ones what they write for it.

    `cuts` grows by what is kept.
    """
    found: dict[Value, Kernel] = {}
    for kernel in kernels:
        own = {*kernel.sums, *kernel.stores}
        cost = _costs(_ordered(kernel.roots), cuts - own)
        stack, seen = list(kernel.roots), set()
        while stack:
            v = stack.pop()
            if v in seen:
                continue
            seen.add(v)
            if v in cuts and v not in own:
                kernel.loads.add(v)
            elif v in found and v not in own and cost[v] > _KEPT:
                found[v].stores.append(v)
                cuts.add(v)
                kernel.loads.add(v)
            else:
                stack += v.args
        for v in seen - kernel.loads:
            if v.axes == kernel.place and v not in own:
                found.setdefault(v, kernel)
        cuts.update(kernel.stores)
