"""A kernel in C: one function of CUDA, which a plain C compiler takes as well once its few words are defined.

A thread stands for one place of the kernel's space, or, where the last axis has an even length, for two neighbours
along it: they share the counters of their random numbers. Numbers that differ from run to run are arguments, so that
runs of the same shape share one compiled kernel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from simulations.fused.schedule import PARTS, Kernel
from simulations.fused.values import COORDINATES, REPLICATES, in_order
from simulations.fused.writer import Writer

NAME = "mamlbound"


@dataclass(frozen=True)
class Source:
    """Text of a kernel, and what to call it with.

    arguments: after the number of threads, in order: ("number", x), ("scalar", name), ("array", name) or
        ("kept", value), the array of a value that is stored.
    threads: how many there are; each: for every replicate, or in all.
    """

    text: str
    arguments: tuple[tuple[str, object], ...]
    threads: int
    each: bool


def written(kernel: Kernel, sizes: Mapping[str, int]) -> Source:
    """The kernel's source; sizes: lengths of the axes but the replicates'."""
    sizes = dict(sizes)
    if PARTS in kernel.space:
        sizes[PARTS] = kernel.sums[0].data
    writer = Writer(kernel, sizes)
    writer.find(kernel.roots)
    _store(writer)
    after = _sum(writer)
    space = [axis for axis in kernel.space if axis != REPLICATES]
    threads = math.prod(sizes[axis] // (2 if axis == writer.along else 1) for axis in space)
    functions = [*writer.helpers.values(), *(made.source(name) for made, name in writer.formulas.items())]
    body = [*_place(writer), *writer.before, *_loop(writer), *after]
    head = f'extern "C" __global__ void {NAME}({", ".join(["unsigned threads", *writer.declared])}) {{'
    lines = [
        "const unsigned t = blockIdx.x * blockDim.x + threadIdx.x;",
        "if (t >= threads) return;",
        *body,
    ]
    text = "\n".join([*functions, head, *(f"    {line}" for line in lines), "}\n"])
    arguments = tuple(what for _, what in writer.arguments.values())
    return Source(text, arguments, threads, REPLICATES in kernel.space)


def _place(writer: Writer) -> list[str]:
    """Which place a thread stands for."""
    lines, rest = [], "t"
    for n, axis in reversed(list(enumerate(writer.kernel.space))):
        step = 2 if axis == writer.along else 1
        length = 0 if n == 0 else writer.sizes[axis] // step
        lines.append(f"const unsigned i_{axis} = ({rest}{f' % {length}' if n else ''}){' * 2' if step == 2 else ''};")
        rest = f"({rest} / {length})" if n else rest
    return lines


def _loop(writer: Writer) -> list[str]:
    """The loop around what is inside; strided by the number of parts where coordinates are summed."""
    axis = writer.kernel.loop
    if axis is None:
        return []
    first, step = ("0", 1) if axis != COORDINATES else (f"i_{PARTS}", writer.sizes[PARTS])
    if axis == writer.along:
        first, step = f"{first} * 2", 2 * step
    head = f"for (unsigned i_{axis} = {first}; i_{axis} < {writer.sizes[axis]}; i_{axis} += {step}) {{"
    return [head, *(f"    {line}" for line in writer.inside), "}"]


def _store(writer: Writer) -> None:
    for v in writer.kernel.stores:
        array, axes = writer.array("kept", v, v.kind, target=True), in_order(v.axes)
        for lane in writer.lanes_of(v):
            writer.lines_of(v).append(f"{array}[{writer.flat(axes, lane)}] = {writer.names[v][lane]};")


def _sum(writer: Writer) -> list[str]:
    """Totals before, in and after the loop: one for each lane, or one for both where the sum is along them."""
    after = []
    for n, v in enumerate(writer.kernel.sums):
        array, lanes, axes = writer.array("kept", v, "d", target=True), writer.lanes_of(v), in_order(v.axes)
        writer.before += [f"double s{n}_{lane} = 0.0;" for lane in lanes]
        for lane in writer.lanes if writer.along == writer.kernel.loop else lanes:
            writer.inside.append(f"s{n}_{lane if lane in lanes else 0} += {writer.names[v.args[0]][lane]};")
        for lane in lanes:
            place = writer.flat(axes, lane)
            place = f"{place} * {v.data} + i_{PARTS}" if v.op == "parts" else place
            after.append(f"{array}[{place}] = s{n}_{lane};")
    return after
