"""How T(eps) grows is what the family predicts: `rate_exponent`, or a logarithm."""

import math

import numpy as np
import pandas as pd
import pytest

from figures import rate
from simulations import Experiment, families, run


def _means(instance):
    return run(instance.experiment).mean_passage


@pytest.mark.parametrize(("q", "predicted", "decades"), [(1.05, -1.9524, 2.5), (2, -1.5, 3.5), (4, -1.25, 3.5)])
def test_tails_have_the_exponent_they_predict(q, predicted, decades):
    """Over the last half-decade of eps, within 0.02; and T stays within (14).

    The flattest tail takes 4.5 million iterations down to 10^-3.5, which the figure runs, and 47,000 down to 10^-2.5.
    """
    instance = rate._tail(q, {"L": 1, "rho": 1}, np.geomspace(1, 10**-decades, int(8 * decades) + 1))
    assert math.isclose(instance.experiment.family.rate_exponent, predicted, abs_tol=1e-4)
    means = _means(instance)
    assert not means["censored"].any()
    assert abs(rate.exponent(means) - predicted) <= 0.02
    assert all(row["T"] <= instance.bound(row["eps"]) for _, row in means.iterrows())


def test_ramps_have_exponent_minus_two():
    """Between eps = 0.03 and 0.01, within 0.005."""
    instances = [rate._ramp(eps, {"L": 1, "rho": 1, "Delta": 1}) for eps in (0.03, 0.01)]
    means = pd.concat([_means(instance) for instance in instances])
    assert all(instance.experiment.family.rate_exponent == -2 for instance in instances)
    assert abs(rate.exponent(means) + 2) <= 0.005


def test_an_exponent_is_that_of_a_power():
    """On exact powers, from the last half-decade alone."""
    eps = np.geomspace(1, 1e-3, 25)
    means = pd.DataFrame({"eps": eps, "T": 7 * eps**-1.3 + 1e4 * (eps > 0.01)})
    assert math.isclose(rate.exponent(means), -1.3, rel_tol=1e-12)


@pytest.mark.parametrize("name", ["cosine", "welsch", "quadratic"])
def test_wells_take_a_logarithm(name):
    """Equal numbers of iterations for equal factors in eps, once near the minimum; no exponent is predicted."""
    asked = {} if name == "quadratic" else {"shift_share": 0.0}
    family = getattr(families, name)(dim=2, tasks=4, sigma=0.1, **asked)
    assert family.rate_exponent is None
    eps = tuple(10.0 ** -np.arange(3, 10))
    found = run(
        Experiment(family, "1/6", step="sharp", iterations=20_000, eps=eps, until_passage=True, record_every=20_000)
    )
    steps = np.diff(found.mean_passage.sort_values("eps", ascending=False)["T"].astype(float))
    assert (np.abs(steps - steps[-1]) <= 2).all() and steps[-1] > 0
