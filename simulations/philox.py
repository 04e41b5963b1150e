"""Random numbers as a function of their address: Philox-4x32-10 with counter (index, iteration, replicate, role).

Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011). The key is the seed. One
counter gives two numbers: those of a block stand at the pairs (0, 1), (2, 3), ... of its elements.

A block may hold several replicates one after the other, its lanes, and only some of the rows of a batch: the halves of
an address that the generator does not read say which (`spanning`). Numbers do not depend on how a batch is cut.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.elementary import log, turn
from simulations.kernels import (
    ADDRESS,
    REAL,
    WORD,
    Address,
    array_form,
    bits_of,
    compiled,
    float_of,
    inlined,
    one_pass,
    types,
)

TASK, INNER, OUTER, HESSIAN, STEP_TASK, STEP = (np.uint64(role) for role in range(6))

MOST_STAGES = 255
_MASK = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_0, _1, _2, _12, _16, _32 = (np.uint64(n) for n in (0, 1, 2, 12, 16, 32))
_ONE = np.uint64(0x3FF0000000000000)
_SHIFT, _SHIFTER, _52_BITS = np.uint64(0x4330000000000000), 2.0**52, np.uint64(0x000FFFFFFFFFFFFF)
_BELOW_ONE = 1.0 - 2.0**-53


@inlined
def _round(x0, x1, x2, x3, k0, k1):
    """One round; only the low halves of words mean something, which saves masks where it vectorises."""
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


@inlined
def spanning(address, lanes, first):
    """The same address for a block of these many replicates, beginning with this row of their batches."""
    replicate = (address.replicate & _MASK) | (np.uint64(lanes - 1) << _32)
    return Address(address.seed, replicate, (address.iteration & _MASK) | (np.uint64(first) << _32), address.role)


@inlined
def lanes_of(address):
    """How many replicates a block at this address holds."""
    return (address.replicate >> _32) + _1


@inlined
def of_lane(address, q, share):
    """The address of pair q of a block, and its index, where every lane has `share` pairs: by arithmetic on floats,
    which vectorises, exact because q + 1/2 is never near a multiple of `share`."""
    lane = np.floor((float_of(q | _SHIFT) - _SHIFTER + 0.5) / share)
    lane = bits_of(lane + _SHIFTER) & _52_BITS
    replicate = address.replicate + lane
    return Address(address.seed, replicate, address.iteration, address.role), q - lane * np.uint64(share)


@inlined
def of_replicate(address, lane):
    """The address of one of the replicates of a block."""
    return Address(address.seed, address.replicate + lane, address.iteration, address.role)


@compiled(types.UniTuple(REAL, 2)(WORD, ADDRESS))
def lone_pair(index, address):
    """`normal_pair` for a single place, called and not written out: it is long, and few places need it alone."""
    return normal_pair(index, address)


@inlined
def along_and_aside(d, row, address):
    """Of a standard normal vector of d >= 3 dimensions: a coordinate, and the square of the rest, chi^2 with d - 1.

    Half of that is a gamma variable of shape (d - 1)/2 >= 1, by Marsaglia and Tsang (2000): attempts at the counters
    row 2^16 + 1, 2, ...
    """
    index = np.uint64(row) << _16
    z = lone_pair(index, address)[0]
    shift = 0.5 * (d - 1) - 1.0 / 3.0
    slope = 1.0 / math.sqrt(9.0 * shift)
    while True:
        index += _1
        x = lone_pair(index, address)[0]
        index += _1
        u = uniform_pair(index, address)[0]
        cube = (1.0 + slope * x) ** 3
        if cube > 0.0 and log(u) < 0.5 * x * x + shift * (1.0 - cube + log(cube)):
            return z, 2.0 * shift * cube


@inlined
def lengthen(length, scale, d, rows, address):
    """length[r] = ||m + scale xi|| for a vector m of this length and a standard normal xi of d >= 3 dimensions."""
    for r in range(np.uint64(length.size)):
        lane = r // np.uint64(rows)
        z, rest = along_and_aside(d, r - lane * np.uint64(rows), of_replicate(address, lane))
        length[r] = np.sqrt((length[r] + scale * z) ** 2 + scale * scale * rest)


@array_form(lengthen)
def _(length, scale, d, rows, address):
    index = np.arange(rows, dtype=np.uint64) << _16
    z = normal_pair(index, address)[0]
    shift = 0.5 * (d - 1) - 1.0 / 3.0
    cube, searching = np.ones(length.shape), np.ones(length.shape, dtype=bool)
    while searching.any():
        index = index + _2
        x, u = normal_pair(index - _1, address)[0], uniform_pair(index, address)[0]
        tried = (1.0 + x / math.sqrt(9.0 * shift)) ** 3
        positive = np.where(tried > 0.0, tried, 1.0)
        passed = (tried > 0.0) & (log(u) < 0.5 * x * x + shift * (1.0 - positive + log(positive)))
        cube = np.where(searching & passed, tried, cube)
        searching = searching & ~passed
    length[...] = np.sqrt((length + scale * z) ** 2 + scale * scale * (2.0 * shift * cube))


@inlined
def add_normals(block, scale, address):
    """Add `scale` times independent standard normals to the elements of a block, in their order in memory."""
    if scale == 0.0:
        return
    flat, lanes = block.ravel(), lanes_of(address)
    size = np.uint64(flat.size) // lanes
    skipped = (address.iteration >> _32) * (size // (np.uint64(block.shape[0]) // lanes))
    odd = skipped & _1
    before, pairs = (skipped + odd) // _2, (size - odd) // _2
    if lanes > _1 and _2 * pairs == size:
        share = float(pairs)
        for q in range(lanes * pairs):
            place, index = of_lane(address, q, share)
            first, second = normal_pair(index, place)
            flat[_2 * q] += scale * first
            flat[_2 * q + _1] += scale * second
        return
    for lane in range(lanes):
        place = of_replicate(address, lane)
        mine = flat[lane * size : (lane + _1) * size]
        if odd:
            mine[0] += scale * lone_pair(before - _1, place)[1]
        whole = mine[odd : odd + _2 * pairs]
        for index in range(pairs):
            first, second = normal_pair(before + index, place)
            whole[_2 * index] += scale * first
            whole[_2 * index + _1] += scale * second
        if odd + _2 * pairs < size:
            mine[odd + _2 * pairs] += scale * lone_pair(before + pairs, place)[0]


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
def draw_tasks(law, address, picks):
    """Independent task indices i ~ p: each the first whose running sum of probabilities is above a uniform."""
    lanes = lanes_of(address)
    size = np.uint64(picks.size) // lanes
    pairs = (size + _1) // _2
    drawn = np.empty((lanes * pairs, 2))
    for q in range(lanes * pairs):
        place, index = of_lane(address, q, float(pairs))
        drawn[q, 0], drawn[q, 1] = uniform_pair(index, place)
    tasks = law.cumulative.size
    for slot in range(np.uint64(picks.size)):
        lane = slot // size
        place = slot - lane * size
        u = drawn[lane * pairs + place // _2, place % _2]
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
