"""Random numbers by address: the published generator, the right laws, and no number used twice.

Statistical bounds hold with probability 1 - 1e-9 for ideal randomness, by the inequality each test names; all seeds are
fixed.
"""

import itertools
import math

import numpy as np
import pytest
from reference import Noise
from reference import philox as plain_philox
from scipy import stats

from simulations import philox as places
from simulations.kernels import ADDRESS, PICKS, VECTOR, WORD, Address, Law, compiled, types
from simulations.philox import add_normals, draw_tasks, philox, uniform

DELTA = 1e-9
ROLES = (places.TASK, places.INNER, places.OUTER, places.HESSIAN, places.STEP_TASK, places.STEP)
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@compiled(types.void(WORD[::1], WORD[::1], WORD[::1]))
def _words(counter, key, out):
    out[0], out[1] = philox(counter[0], counter[1], counter[2], counter[3], key[0] | (key[1] << np.uint64(32)))


@compiled(types.void(ADDRESS, VECTOR))
def _normals(address, out):
    out[:] = 0.0
    add_normals(out, 1.0, address)


@compiled(types.void(VECTOR, ADDRESS, PICKS))
def _tasks(cumulative, address, picks):
    draw_tasks(Law(cumulative, cumulative, picks), address, picks)


@compiled(types.void(WORD[::1], VECTOR))
def _uniforms(words, out):
    for n in range(words.size):
        out[n] = uniform(words[n])


def _address(seed=0, replicate=0, iteration=0, role=places.INNER):
    return Address(*(np.uint64(word) for word in (seed, replicate, iteration, role)))


def _drawn(count, **address):
    out = np.empty(count)
    _normals(_address(**address), out)
    return out


def _hex(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers_of_random123(counter, key, answer):
    """Counter words are (index, iteration, replicate, role), the key is the seed with its low word first."""
    out = np.empty(2, np.uint64)
    _words(np.array(_hex(counter), np.uint64), np.array(_hex(key), np.uint64), out)
    first, second, third, fourth = _hex(answer)
    assert [int(word) for word in out] == [first << 32 | second, third << 32 | fourth]
    assert list(plain_philox(_hex(counter), _hex(key))) == _hex(answer)


def test_normals_are_those_of_the_plain_generator():
    """Every field of the address, and both words of the seed, reach the generator."""
    for seed, replicate, iteration, role in [(0, 0, 0, 0), (2**63 + 5, 7, 11, 3), (1, 2**32 - 1, 2**31, 5)]:
        plain = [z for pair in range(4) for z in Noise(seed, replicate, iteration).normals(role, pair)]
        drawn = _drawn(8, seed=seed, replicate=replicate, iteration=iteration, role=role)
        np.testing.assert_allclose(drawn, plain, rtol=1e-13)


def test_uniforms_stay_inside_the_open_interval():
    """The smallest and largest words give neither 0 nor 1, so logarithms and running sums are safe."""
    out = np.empty(2)
    _uniforms(np.array([0, 2**64 - 1], np.uint64), out)
    assert 0 < out[0] < 1e-15 and 1 - 1e-15 < out[1] < 1


@pytest.mark.parametrize("half", [slice(0, None, 2), slice(1, None, 2)], ids=["cosine half", "sine half"])
def test_normals_follow_the_normal_law(half):
    """Distribution by Dvoretzky-Kiefer-Wolfowitz, mean and variance by their exact normal and chi-square laws."""
    z = _drawn(2**19, seed=1)[half]
    n = z.size
    law = stats.norm.cdf(np.sort(z))
    distance = max((np.arange(1, n + 1) / n - law).max(), (law - np.arange(n) / n).max())
    assert distance <= math.sqrt(math.log(2 / DELTA) / (2 * n))
    assert abs(z.sum()) <= math.sqrt(n) * stats.norm.isf(DELTA / 2)
    assert stats.chi2.ppf(DELTA / 2, n) <= z @ z <= stats.chi2.isf(DELTA / 2, n)


def test_draws_at_different_addresses_are_uncorrelated():
    """Streams that differ in one field, and the halves of a pair, also in their squares' signs.

    For independent normals E exp(s x y) = (1 - s^2)^(-1/2), so by Chernoff |sum x y| <= 7 sqrt(n) for n >= 4096 but for
    probability 1e-10; the sign of x^2 - median is a fair coin, for which Hoeffding gives the same.
    """
    n = 2**14
    fields = {"seed": (0, 1, 2**32), "replicate": (1, 2), "iteration": (1, 2)}
    streams = [_drawn(n, **{"role": places.OUTER, field: value}) for field, many in fields.items() for value in many]
    streams += [_drawn(n, role=role) for role in ROLES if role != places.OUTER]
    pair = _drawn(2 * n, seed=3)
    streams += [pair[0::2], pair[1::2], _drawn(n + 2, seed=3)[2:]]
    middle = stats.chi2.median(1)
    for x, y in itertools.combinations(streams, 2):
        assert abs(x @ y) <= 7 * math.sqrt(n)
        assert abs(np.sign(x**2 - middle) @ np.sign(y**2 - middle)) <= 7 * math.sqrt(n)


@pytest.mark.parametrize(
    "probabilities", [[1.0], [0.5, 0.5], [0.2] * 5, [0.7, 0.0, 0.299, 0.001], [0.05, 0.9, 0.05]], ids=str
)
def test_task_draws_follow_the_probabilities(probabilities):
    """Counts of every task by the exact binomial law; tasks of probability 0 never come."""
    n, picks = 2**18, np.empty(2**18, np.int64)
    _tasks(np.cumsum(probabilities), _address(seed=5, role=places.TASK), picks)
    counts = np.bincount(picks, minlength=len(probabilities))
    for count, p in zip(counts, probabilities, strict=True):
        share = DELTA / len(probabilities)
        assert stats.binom.ppf(share / 2, n, p) <= count <= stats.binom.isf(share / 2, n, p)


def test_task_draws_are_independent_of_one_another():
    """Pairs of successive slots, and of the same slot in successive replicates, by the exact binomial law."""
    n = 2**17
    here, there = np.empty((2, n), np.int64)
    _tasks(np.array([0.3, 1.0]), _address(role=places.TASK), here)
    _tasks(np.array([0.3, 1.0]), _address(replicate=1, role=places.TASK), there)
    for x, y in ((here[0::2], here[1::2]), (here, there)):
        both = ((x == 0) & (y == 0)).sum()
        assert stats.binom.ppf(DELTA / 2, x.size, 0.09) <= both <= stats.binom.isf(DELTA / 2, x.size, 0.09)


def test_the_last_task_takes_what_rounding_leaves():
    """Running sums that end a little below 1 never give a task number beyond the last."""
    picks = np.empty(1000, np.int64)
    _tasks(np.array([0.25, 0.5]), _address(role=places.TASK), picks)
    assert set(picks) == {0, 1}


def test_no_two_addresses_share_a_draw():
    """All roles, some replicates, iterations and seeds; pairs of normals have 104 bits and do not repeat by chance."""
    assert len(set(map(int, ROLES))) == len(ROLES)
    grid = itertools.product((0, 1, 2**32), range(3), range(3), ROLES)
    everything = np.concatenate([_drawn(256, seed=s, replicate=r, iteration=k, role=role) for s, r, k, role in grid])
    pairs = everything.view(complex)
    assert np.unique(pairs).size == pairs.size
