"""Ji's second moments against the exact law of the noisy inner path, and against optimisation over tasks on a line."""

import itertools

import numpy as np
import pytest
import sympy as sp
from lines import maximum

from theory import CLAIMS

DEVIATION, SECOND = CLAIMS["multi-step-deviation"], CLAIMS["multi-step-second-moment"]


def _bound(claim, which, **values):
    return claim.evaluate(which, L=1, **values)


def _paths(slope, w, alpha, steps, noise):
    """Ends and all points of the noisy paths under noise +-`noise`, one row a sign pattern."""
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=steps)))
    points = [np.full(len(signs), w)]
    for j in range(steps):
        points.append(points[-1] - alpha * (slope(points[-1]) + noise * signs[:, j]))
    return np.array(points)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6])
def test_the_concave_parabola_reaches_the_deviation_and_beats_the_printed_one_from_four_steps_on(steps):
    alpha = sp.Rational(1, 8 * steps)
    deviation = (_paths(lambda x: -x, 0.3, float(alpha), steps, 1.0)[-1] - 0.3 * (1 + float(alpha)) ** steps) ** 2
    values = {"alpha": alpha, "N": steps, "sigma_tilde": 1, "D_in": 1}
    assert deviation.mean() == pytest.approx(_bound(DEVIATION, "sharp", **values), rel=1e-12)
    assert (deviation.mean() > _bound(DEVIATION, "published", **values)) == (steps >= 4)


@pytest.mark.parametrize("steps", [2, 3])
def test_the_second_moment_is_never_beaten_by_two_sine_tasks(steps):
    alpha, hessian, D_o = 1 / (8 * steps), 0.5, 3.0

    def ratio(numbers):
        phases, tilts, amplitudes = numbers[:2], numbers[2:4], np.sin(numbers[4:6])
        noise = np.exp(numbers[6])
        gradients, exact, second = [], [], []
        for phase, tilt, size in zip(phases, tilts, amplitudes, strict=True):

            def slope(x, phase=phase, tilt=tilt, size=size):
                return size * np.sin(x + phase) + tilt

            def factors(points, phase=phase, size=size):
                return 1 - alpha * size * np.cos(points[:-1] + phase)

            noisy, clean = _paths(slope, 0.0, alpha, steps, noise), _paths(slope, 0.0, alpha, steps, 0.0)
            gradients.append(slope(0.0))
            exact.append((np.prod(factors(clean), axis=0) * slope(clean[-1])).mean())
            stretch = np.prod(factors(noisy) ** 2 + hessian**2 * alpha**2, axis=0)
            second.append((stretch * (slope(noisy[-1]) ** 2 + noise**2 / D_o)).mean())
        values = {"grad_F": abs(np.mean(exact)), "sigma": float(np.std(gradients)), "sigma_tilde": noise}
        bound = _bound(
            SECOND, "sharp", alpha=f"1/{8 * steps}", N=steps, D_in=1, D_o=D_o, D_h=1, sigma_H=hessian, **values
        )
        return np.mean(second) / bound

    assert 0.5 <= maximum(ratio, 7, rounds=20) <= 1
