"""Random numbers as a function of their address: Philox-4x32-10 with counter (index, iteration, replicate, role).

Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011). The key is the seed.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.kernels import Address, inlined

TASK, INNER, OUTER, HESSIAN, STEP_TASK, STEP = (np.uint64(role) for role in range(6))

_MASK = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_32, _12 = np.uint64(32), np.uint64(12)
_TWO_PI = 2 * math.pi
_GRAIN = 2.0**-52


@inlined
def philox(index, iteration, replicate, role, seed):
    """Two 64-bit words of the counter (index, iteration, replicate, role), 32 bits each, under a 64-bit key."""
    x0, x1, x2, x3 = index & _MASK, iteration & _MASK, replicate & _MASK, role & _MASK
    k0, k1 = seed & _MASK, seed >> _32
    for _ in range(10):
        p0 = _M0 * x0
        p1 = _M1 * x2
        x0, x1, x2, x3 = (p1 >> _32) ^ x1 ^ k0, p1 & _MASK, (p0 >> _32) ^ x3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return (x0 << _32) | x1, (x2 << _32) | x3


@inlined
def uniform(word):
    """A number of the open interval (0, 1) from a 64-bit word, never 0 and never 1."""
    return (np.float64(word >> _12) + 0.5) * _GRAIN


@inlined
def normal_pair(index, address):
    """Two independent standard normals, by Box and Muller."""
    first, second = philox(index, address.iteration, address.replicate, address.role, address.seed)
    radius = math.sqrt(-2.0 * math.log(uniform(first)))
    angle = _TWO_PI * uniform(second)
    return radius * math.cos(angle), radius * math.sin(angle)


@inlined
def at(address, role):
    """The same address in another role."""
    return Address(address.seed, address.replicate, address.iteration, role)


@inlined
def draw_tasks(cumulative, address, picks):
    """Independent task indices with the probabilities whose running sums are `cumulative`."""
    for slot in range(picks.size):
        word, _ = philox(np.uint64(slot), address.iteration, address.replicate, address.role, address.seed)
        picks[slot] = min(np.searchsorted(cumulative, uniform(word), side="right"), cumulative.size - 1)
