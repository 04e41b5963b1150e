"""Random numbers as a function of their address: Philox-4x32-10 with counter (index, iteration, replicate, role).

Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011). The key is the seed. One
counter gives two numbers: those of a batch stand at the pairs (0, 1), (2, 3), ... of its elements, and do not depend
on how many replicates, or which rows of a batch, a block holds.
"""

from __future__ import annotations

import numpy as np

from simulations.elementary import log, turn
from simulations.kernels import Address, array_form, bits_of, float_of, held, inlined, linked, one_pass

TASK, INNER, OUTER, HESSIAN, STEP_TASK, STEP = (np.uint64(role) for role in range(6))

MOST_STAGES = 255
MOST_BRANCHES = 2**16 - 1
_MASK = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_0, _1, _2, _12, _16, _32 = (np.uint64(n) for n in (0, 1, 2, 12, 16, 32))
_ONE = np.uint64(0x3FF0000000000000)
_WHOLE, _WHOLE_ZERO, _FRACTION = np.uint64(0x4330000000000000), 2.0**52, np.uint64(0x000FFFFFFFFFFFFF)
_BELOW_ONE = 1.0 - 2.0**-53


@inlined
def _round(x0, x1, x2, x3, k0, k1):
    """One round; the high halves of words mean nothing, which saves masks where it vectorises."""
    p0 = _M0 * (x0 & _MASK)
    p1 = _M1 * (x2 & _MASK)
    return (p1 >> _32) ^ x1 ^ k0, p1, (p0 >> _32) ^ x3 ^ k1, p0


@inlined
def _next(key, bump):
    return (key + bump) & _MASK


@inlined
def philox(index, iteration, replicate, role, seed):
    """Two 64-bit words of the counter (index, iteration, replicate, role), 32 bits each, under a 64-bit key.

    The ten rounds are written out because Numba keeps a loop over them rolled, which stops vectorisation.
    """
    k0, k1 = seed & _MASK, seed >> _32
    x0, x1, x2, x3 = _round(index, iteration, replicate, role, k0, k1)
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
    return (x0 << _32) | (x1 & _MASK), (x2 << _32) | (x3 & _MASK)


@inlined
def uniform(word):
    """A number of the open interval (0, 1) from a 64-bit word: an odd multiple of 2^-53."""
    return float_of((word >> _12) | _ONE) - held(_BELOW_ONE)


@one_pass
@inlined
def uniform_pair(index, address):
    """Two independent uniforms."""
    first, second = philox(index, address.iteration, address.replicate, address.role, address.seed)
    return uniform(first), uniform(second)


@inlined
def polar(first, second):
    """Two independent standard normals from two independent uniforms, by Box and Muller."""
    radius = np.sqrt(held(-2.0) * log(first))
    sine, cosine = turn(second)
    return radius * cosine, radius * sine


@one_pass
@inlined
def normal_pair(index, address):
    """Two independent standard normals."""
    first, second = uniform_pair(index, address)
    return polar(first, second)


@inlined
def _of_lane(q, share):
    """The lane that element q of a block belongs to, and its number there, where every lane has `share` elements.

    By arithmetic on floats, which vectorises, and is exact because q + 1/2 is never near a multiple of `share`.
    """
    lane = np.floor((float_of(q | _WHOLE) - _WHOLE_ZERO + 0.5) / share)
    lane = bits_of(lane + _WHOLE_ZERO) & _FRACTION
    return lane, q - lane * np.uint64(share)


@linked
def _uniforms(address, start, pairs, first, second):
    """The uniforms of counters start, ..., start + pairs - 1 of every lane, one lane after the other."""
    share = np.float64(pairs)
    for q in range(address.lanes * pairs):
        lane, index = _of_lane(q, share)
        word, other = philox(start + index, address.iteration, address.replicate + lane, address.role, address.seed)
        first[q], second[q] = uniform(word), uniform(other)


@linked
def _add_normals(block, rows, scale, address):
    """In two passes, which are short enough each for the processor to have several of its steps under way."""
    size = np.uint64(block.size) // address.lanes
    skipped = address.first * (size // (rows // address.lanes))
    odd = skipped & _1
    pairs = (odd + size + _1) // _2
    first, second = np.empty(address.lanes * pairs), np.empty(address.lanes * pairs)
    _uniforms(address, skipped // _2, pairs, first, second)
    whole = block if _2 * pairs == size else np.zeros(2 * first.size)
    for q in range(np.uint64(first.size)):
        one, other = polar(first[q], second[q])
        whole[_2 * q] += scale * one
        whole[_2 * q + _1] += scale * other
    if _2 * pairs != size:
        for lane in range(address.lanes):
            mine, drawn = block[lane * size : (lane + _1) * size], whole[_2 * pairs * lane + odd :]
            for e in range(size):
                mine[e] += drawn[e]


@inlined
def add_normals(block, scale, address):
    """Add `scale` times independent standard normals to the elements of a block, in their order in memory."""
    _add_normals(block.ravel(), np.uint64(block.shape[0]), scale, address)


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
    return Address(address.seed, address.replicate, address.iteration, role, address.lanes, address.first)


@inlined
def stage(role, j):
    """The role of the j-th of MOST_STAGES like draws, such as those of inner step j; the role itself for j = 0.

    Roles are numbers below 2**8, those of stages below 2**16.
    """
    return role + np.uint64(256 * j)


@inlined
def branch(address, number):
    """The same address in one of its MOST_BRANCHES further branches 1, 2, ..., each with indices of its own.

    Roles are numbers below 2**16.
    """
    return at(address, address.role | (np.uint64(number) << _16))


@linked
def draw_tasks(law, address, picks):
    """Independent task indices i ~ p: each the first whose running sum of probabilities is above a uniform."""
    size, tasks = np.uint64(picks.size) // address.lanes, law.cumulative.size
    pairs = (size + _1) // _2
    first, second = np.empty(address.lanes * pairs), np.empty(address.lanes * pairs)
    _uniforms(address, _0, pairs, first, second)
    for lane in range(address.lanes):
        for place in range(size):
            q = lane * pairs + place // _2
            u = second[q] if place & _1 else first[q]
            pick = int(u * tasks)
            while pick < tasks - 1 and law.cumulative[pick] <= u:
                pick += 1
            while pick > 0 and law.cumulative[pick - 1] > u:
                pick -= 1
            picks[lane * size + place] = pick


@array_form(draw_tasks)
def _(law, address, picks):
    first, second = uniform_pair(np.arange((picks.shape[1] + 1) // 2, dtype=np.uint64), address)
    for offset, u in enumerate((first, second[:, : picks.shape[1] // 2])):
        picks[:, offset::2] = np.minimum(np.searchsorted(law.cumulative, u, side="right"), law.cumulative.size - 1)
