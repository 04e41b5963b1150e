"""The symbols: weights are those of the definitions, and an inhomogeneous sum is refused."""

import pytest

from theory import symbols as s


def test_weight_of_products_and_powers():
    assert s.weight(s.rho * s.alpha * s.sigma) == s.QUANTITIES["L"].weight
    assert s.weight(s.Delta * s.L / s.eps**2) == (0, 0)


def test_inhomogeneous_sum_is_refused():
    with pytest.raises(ValueError, match="not homogeneous"):
        s.weight(s.L + s.rho)
