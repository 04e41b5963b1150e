"""The machine's own floor: the engine's vectorised primitives alone, on blocks that stay in the nearest cache."""

from __future__ import annotations

import time

import numpy as np

from simulations import philox
from simulations.elementary import sin
from simulations.kernels import ADDRESS, COUNT, MATRIX, VECTOR, Address, compiled, types

_BLOCK, _LONG = 384, 4096
"""Numbers in a row, so that ten rows stay in the nearest cache; and in a block of normals, as the engine has them."""


@compiled(types.void(ADDRESS, VECTOR, COUNT))
def _normals(address, out, times):
    for k in range(times):
        philox.add_normals(out, 1.0, philox.at(address, np.uint64(k)))


@compiled(types.void(VECTOR, VECTOR, COUNT))
def _sines(x, out, times):
    for _ in range(times):
        for j in range(x.size):
            out[j] = sin(x[j])
        x[0] += 1.0


@compiled(types.void(MATRIX, VECTOR, VECTOR, COUNT))
def _row_steps(rows, total, square, times):
    """What is left of a task-coordinate without its normal and its sine: inner gradient by angle addition, inner
    point, and the sums over tasks of factor times outer gradient and of squared factors."""
    sine, cosine, w, shift_sine = rows[0], rows[1], rows[2], rows[3]
    shift_cosine, tilt, normal, wave = rows[4], rows[5], rows[6], rows[7]
    for k in range(times):
        for j in range(total.size):
            inner = sine[j] * shift_cosine[j] - cosine[j] * shift_sine[j] + tilt[j] + 0.1 * normal[j]
            point = w[j] - 0.2 * inner
            factor = 0.9 - 0.2 * (cosine[j] * shift_cosine[j] + sine[j] * shift_sine[j])
            total[j] += factor * (wave[j] + tilt[j])
            square[j] += factor * factor
            wave[j] = point
        sine[0] = k


def _fastest(call, repeats: int) -> float:
    """Seconds of the fastest of several calls."""
    spent = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return min(spent[1:])


def measure(times: int = 4000, repeats: int = 15) -> dict[str, float]:
    """Nanoseconds of one core for one normal, one sine and one row step."""
    out, rows = np.zeros(_LONG), np.random.Generator(np.random.Philox(0)).standard_normal((8, _BLOCK))
    address, few = Address(*map(np.uint64, (0, 0, 0, 1))), times * _BLOCK // _LONG
    calls = {
        "normal": lambda: _normals(address, out, few),
        "sine": lambda: _sines(rows[0], out[:_BLOCK], times),
        "row step": lambda: _row_steps(rows, np.zeros(_BLOCK), np.zeros(_BLOCK), times),
    }
    return {name: 1e9 * _fastest(call, repeats) / (times * _BLOCK) for name, call in calls.items()}


def bound(primitives: dict[str, float], draws: str) -> float:
    """Core-nanoseconds a task-coordinate needs: an inner normal, an outer one unless merged, a sine, a row step."""
    normals = {"all": 2, "merged": 1}[draws]
    return normals * primitives["normal"] + primitives["sine"] + primitives["row step"]
