"""Sine and cosine far beyond a period, where families of extreme constants send them."""

import numpy as np
import pytest
from mpmath import mp

from simulations import elementary
from simulations.kernels import on_arrays


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_far_out_the_error_is_that_of_the_last_bit_of_the_argument(name):
    """|x| up to 1e5: below 2e-16; up to 1e15: below 1e-15 |x|; never above 1 by more than rounding."""
    generator = np.random.Generator(np.random.Philox(4))
    function = on_arrays(getattr(elementary, name))
    for power in range(15):
        x = 10.0 ** (power + generator.random(200)) * generator.choice([-1.0, 1.0], 200)
        with mp.workprec(200):
            true = np.array([float(getattr(mp, name)(mp.mpf(float(value)))) for value in x])
        found = function(x)
        allowed = np.where(np.abs(x) <= 1e5, 2e-16, 1e-15 * np.abs(x)) + 2e-16
        assert (np.abs(found - true) <= allowed).all() and np.abs(found).max() <= 1 + 1e-15
