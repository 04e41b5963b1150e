"""Evidence from draws: calibrated at equality, awake to an excess, the same bits in pieces, e-BH by its definition."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from simulations.evidence import Bet, Confidence, draws_to_detect, rejected

DELTA, RUNS, DRAWS = 0.05, 1000, 1000


def chi_square(generator, n):
    """||G||^2/E||G||^2 of a Gaussian vector in four dimensions."""
    return generator.chisquare(4, n) / 4


LAWS = {
    "chi-square": chi_square,
    "exponential": lambda generator, n: generator.exponential(1.0, n),
    "two points": lambda generator, n: 2.0 * generator.integers(0, 2, n),
    "rare": lambda generator, n: 50.0 * (generator.random(n) < 1 / 50),
    "heavy tail": lambda generator, n: 0.5 / np.sqrt(generator.random(n)),
}


def generator(seed):
    return np.random.Generator(np.random.Philox(seed))


def clopper_pearson_low(alarms, runs, level=1e-6):
    """The rates below this are refuted by so many alarms."""
    return stats.beta.ppf(level, alarms, runs - alarms + 1) if alarms else 0.0


@pytest.mark.parametrize("law", LAWS)
def test_false_alarms_at_equality_stay_below_delta(law):
    source = generator(1)
    alarms = sum(Bet(1.0).add(LAWS[law](source, DRAWS)).refuted(DELTA) for _ in range(RUNS))
    assert clopper_pearson_low(alarms, RUNS) <= DELTA


def test_a_bound_ten_percent_too_low_is_found_by_the_same_simulation():
    """The calibration can fail: under a hypothesis that is wrong the alarms exceed delta."""
    source = generator(1)
    alarms = sum(Bet(0.9).add(chi_square(source, DRAWS)).refuted(DELTA) for _ in range(RUNS))
    assert clopper_pearson_low(alarms, RUNS) > DELTA


def test_a_bet_on_known_draws_is_the_product():
    draws = [0.5, 3.0, 2.0, 0.0, 4.0]
    gains, wealth, highest = [], 1.0, 1.0
    for x in draws:
        mean, square = (np.mean(gains), np.mean(np.square(gains))) if gains else (0.0, 1.0)
        share = min(max(mean / square, 0.0), 1.0) * len(gains) / (len(gains) + 1)
        gains.append(x / 2.0 - 1)
        wealth *= 1 + share * gains[-1]
        highest = max(highest, wealth)
    bet = Bet(2.0).add(draws)
    assert math.isclose(bet.e_value, wealth) and math.isclose(bet.highest, math.log(highest))


def test_the_mean_of_the_wealth_is_at_most_one():
    """Exactly, over all paths of a two-point law with mean at the bound."""
    paths = np.array(np.meshgrid(*[[0.5, 3.0]] * 10)).reshape(10, -1).T
    chances = np.where(paths == 3.0, 0.2, 0.8).prod(axis=1)
    wealth = np.array([Bet(1.0).add(path).e_value for path in paths])
    assert math.isclose(chances @ wealth, 1.0, rel_tol=1e-12)


@pytest.mark.parametrize("law", ["chi-square", "two points", "rare"])
def test_the_confidence_sequence_misses_the_mean_with_its_probability_only(law):
    source, top = generator(2), {"chi-square": 40.0, "two points": 2.0, "rare": 50.0}[law]
    missed = 0
    for _ in range(RUNS):
        found = Confidence(top, DELTA / 2).add(np.minimum(LAWS[law](source, DRAWS), top))
        missed += not found.low <= 1.0 <= found.high
    assert clopper_pearson_low(missed, RUNS) <= DELTA


def test_the_confidence_sequence_is_narrow():
    """Within 5 % after 10^5 draws, at delta = 10^-9: of a law with standard deviation 1 and values up to 2."""
    found = Confidence(2.0, 1e-9).add(LAWS["two points"](generator(3), 100_000))
    assert 0.95 < found.low < 1.0 < found.high < 1.05


@pytest.mark.parametrize("state", [Bet(1.5), Confidence(50.0, 0.01)], ids=["bet", "confidence"])
def test_pieces_give_the_bits_of_the_whole(state):
    draws = np.minimum(LAWS["heavy tail"](generator(4), 1000), 50.0)
    pieces = state
    for part in np.split(draws, [1, 2, 17, 500, 999]):
        pieces = type(state)(*astuple(pieces)).add(part)
    assert astuple(pieces) == astuple(state.add(draws))
    assert len(astuple(state)) <= 10


@pytest.mark.parametrize("draw", [-1e-9, math.nan, math.inf])
def test_draws_that_are_negative_or_not_finite_are_refused(draw):
    for state in (Bet(1.0), Confidence(1.0, 0.01)):
        with pytest.raises(ValueError, match="not negative"):
            state.add([1.0, draw])


@pytest.mark.parametrize("refused", [lambda: Bet(0.0), lambda: Confidence(math.inf, 0.1), lambda: Confidence(1.0, 1.0)])
def test_states_outside_their_range_are_refused(refused):
    with pytest.raises(ValueError, match="must"):
        refused()


def test_e_bh_rejects_by_its_definition():
    """The largest k with k e_(k) >= cells/delta: at 0.1 and five cells, 50, 25, 50/3, 12.5 and 10."""
    assert list(rejected([1.0, 26.0, 49.0, 17.0, 0.0], 0.1)) == [False, True, True, True, False]
    assert list(rejected([1.0, 24.0, 49.0, 16.0, 0.0], 0.1)) == [False] * 5
    assert list(rejected([10.0] * 5, 0.1)) == [True] * 5
    assert rejected([], 0.1).size == 0


def test_e_bh_keeps_the_false_discovery_rate():
    """Forty true hypotheses at equality beside ten that are false by one half."""
    source, shares = generator(5), []
    excess = np.array([0.0] * 40 + [0.5] * 10)
    for _ in range(100):
        found = rejected([Bet(1.0).add((1 + x) * chi_square(source, 300)).e_value for x in excess], 0.1)
        shares.append(found[:40].sum() / max(found.sum(), 1))
    assert found[40:].sum() >= 5
    assert np.mean(shares) <= 0.1


def test_an_excess_is_detected_after_a_number_of_draws_near_the_optimum():
    """For a law of variance 1/2 the best bet needs about 2 (1/2) log(1/delta)/excess^2 draws, for small excess."""
    table = draws_to_detect([0.1, 0.5], chi_square, 0.01, repeats=21, most=20_000)
    assert math.log(100) < table[0.5] < 150
    assert 460 / 2 < table[0.1] < 460 * 5
    assert draws_to_detect([0.0], chi_square, 1e-9, repeats=3, most=2000)[0.0] == math.inf
