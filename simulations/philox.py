"""Random numbers as a function of their address: Philox-4x32-10 with counter (index, iteration, replicate, role).

Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011). The key is the seed. One
counter gives two numbers: those of a block stand at the pairs (0, 1), (2, 3), ... of its elements.
"""

from __future__ import annotations

import numpy as np

from simulations.elementary import log, turn
from simulations.kernels import Address, array_form, float_of, inlined, linked, one_pass

TASK, INNER, OUTER, HESSIAN, STEP_TASK, STEP = (np.uint64(role) for role in range(6))

MOST_STAGES = 255
MOST_LANES = 2**16 - 1
_MASK = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_1, _2, _12, _16, _32 = (np.uint64(n) for n in (1, 2, 12, 16, 32))
_ONE = np.uint64(0x3FF0000000000000)
_BELOW_ONE = 1.0 - 2.0**-53


@inlined
def _round(x0, x1, x2, x3, k0, k1):
    p0 = _M0 * x0
    p1 = _M1 * x2
    return (p1 >> _32) ^ x1 ^ k0, p1 & _MASK, (p0 >> _32) ^ x3 ^ k1, p0 & _MASK


@inlined
def _next(key, bump):
    return (key + bump) & _MASK


@inlined
def philox(index, iteration, replicate, role, seed):
    """Two 64-bit words of the counter (index, iteration, replicate, role), 32 bits each, under a 64-bit key.

    The ten rounds are written out because Numba keeps a loop over them rolled, which stops vectorisation.
    """
    k0, k1 = seed & _MASK, seed >> _32
    x0, x1, x2, x3 = _round(index & _MASK, iteration & _MASK, replicate & _MASK, role & _MASK, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    k0, k1 = _next(k0, _W0), _next(k1, _W1)
    x0, x1, x2, x3 = _round(x0, x1, x2, x3, k0, k1)
    return (x0 << _32) | x1, (x2 << _32) | x3


@inlined
def uniform(word):
    """A number of the open interval (0, 1) from a 64-bit word: an odd multiple of 2^-53."""
    return float_of((word >> _12) | _ONE) - _BELOW_ONE


@one_pass
@inlined
def uniform_pair(index, address):
    """Two independent uniforms."""
    first, second = philox(index, address.iteration, address.replicate, address.role, address.seed)
    return uniform(first), uniform(second)


@one_pass
@inlined
def normal_pair(index, address):
    """Two independent standard normals, by Box and Muller."""
    first, second = uniform_pair(index, address)
    radius = np.sqrt(-2.0 * log(first))
    sine, cosine = turn(second)
    return radius * cosine, radius * sine


@linked
def _add_normals(flat, scale, address):
    pairs = np.uint64(flat.size) // _2
    for index in range(pairs):
        first, second = normal_pair(np.uint64(index), address)
        flat[_2 * index] += scale * first
        flat[_2 * index + _1] += scale * second
    if _2 * pairs < flat.size:
        first, second = normal_pair(pairs, address)
        flat[_2 * pairs] += scale * first


@inlined
def add_normals(block, scale, address):
    """Add `scale` times independent standard normals to the elements of a block, in their order in memory."""
    _add_normals(block.ravel(), scale, address)


@array_form(add_normals)
def _(block, scale, address):
    flat = block.reshape(block.shape[0], -1)
    indices = np.arange((flat.shape[1] + 1) // 2, dtype=np.uint64)
    first, second = normal_pair(indices, address)
    flat[:, 0::2] += scale * first
    flat[:, 1::2] += scale * second[:, : flat.shape[1] // 2]


@inlined
def at(address, role):
    """The same address in another role."""
    return Address(address.seed, address.replicate, address.iteration, role)


@inlined
def stage(role, j):
    """The role of the j-th of MOST_STAGES like draws, such as those of inner step j; the role itself for j = 0.

    Roles are numbers below 2**8, those of stages below 2**16.
    """
    return role + np.uint64(256 * j)


@inlined
def lane(address, number):
    """The same address in one of its MOST_LANES further lanes 1, 2, ..., each with indices of its own.

    Roles are numbers below 2**16.
    """
    role = address.role | (np.uint64(number) << _16)
    return Address(address.seed, address.replicate, address.iteration, role)


@linked
def draw_tasks(law, address, picks):
    """Independent task indices i ~ p: each the first whose running sum of probabilities is above a uniform."""
    pairs = (np.uint64(picks.size) + _1) // _2
    drawn = np.empty((pairs, 2))
    for index in range(pairs):
        drawn[index, 0], drawn[index, 1] = uniform_pair(np.uint64(index), address)
    tasks = law.cumulative.size
    for slot in range(picks.size):
        u = drawn[slot // 2, slot % 2]
        pick = int(u * tasks)
        while pick < tasks - 1 and law.cumulative[pick] <= u:
            pick += 1
        while pick > 0 and law.cumulative[pick - 1] > u:
            pick -= 1
        picks[slot] = pick


@array_form(draw_tasks)
def _(law, address, picks):
    first, second = uniform_pair(np.arange((picks.shape[1] + 1) // 2, dtype=np.uint64), address)
    for offset, u in enumerate((first, second[:, : picks.shape[1] // 2])):
        picks[:, offset::2] = np.minimum(np.searchsorted(law.cumulative, u, side="right"), law.cumulative.size - 1)
