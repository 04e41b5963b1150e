"""lower_bounds: never above the true constants, near them where they are attained, and witnessed by their points."""

import numpy as np
import pytest

from simulations import families, lower_bounds

COSINES = families.cosine(dim=3, tasks=8, L=2, rho=3, sigma=0.5, sigma_tilde=0.3, sigma_H=0.2, seed=1)
CURVATURES = np.array([0.5, 1.0, 4.0])


def cosine(w, task):
    return COSINES.gradients(w)[task]


def quadratic(w, task):
    return CURVATURES * w + task


def samples(w, task):
    return quadratic(w, task) + np.array([[0.3, 0, 0], [-0.3, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("seed", range(3))
def test_bounds_stay_below_the_constants_of_a_family_and_come_near(seed):
    found = lower_bounds(cosine, range(8), COSINES.start, radius=3.0, seed=seed)
    known = COSINES.constants
    for name in ("L", "rho", "sigma"):
        truth = float(getattr(known, name))
        assert getattr(found, name).value <= truth * (1 + 1e-9), name
    assert found.L.value > 0.9 * float(known.L) and found.rho.value > 0.5 * float(known.rho)
    assert found.sigma.value > 0.5 * float(known.sigma) and found.sigma_tilde is None


def test_every_bound_is_shown_by_its_points():
    found = lower_bounds(cosine, range(8), COSINES.start, radius=3.0)
    w, u = found.L.points
    change = np.linalg.norm(cosine(u, found.L.task) - cosine(w, found.L.task))
    assert found.L.value == pytest.approx(change / np.linalg.norm(u - w), rel=1e-9)
    back, here, ahead = found.rho.points
    bend = np.linalg.norm(sum(c * cosine(p, found.rho.task) for c, p in ((1, back), (-2, here), (1, ahead))))
    assert found.rho.value == pytest.approx(bend / np.linalg.norm(ahead - here) ** 2, rel=1e-5)
    rows = COSINES.gradients(found.sigma.points[0])
    spread = np.sqrt(((rows - rows.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert found.sigma.value == pytest.approx(spread, rel=1e-9)


def test_a_quadratic_has_its_constants_and_no_rho_from_rounding():
    found = lower_bounds(quadratic, [-1.0, 1.0], np.ones(3), radius=1.0, sample_gradients=samples)
    assert found.L.value == pytest.approx(4.0, rel=1e-3) and found.L.value <= 4.0
    assert found.rho.value == 0.0
    assert found.sigma.value == pytest.approx(np.sqrt(3), rel=1e-9)
    assert found.sigma_tilde.value == pytest.approx(0.3 * np.sqrt(2 / 3), rel=1e-9)
    assert all(name in str(found) for name in ("L >= ", "rho >= ", "sigma >= ", "sigma_tilde >= ", "task"))


@pytest.mark.parametrize(
    ("steps", "broken", "words"),
    [
        ({"alpha": 1 / 25, "beta": 1 / 400}, False, "alpha = 0.04 is not refuted"),
        ({"alpha": 1 / 23}, True, "alpha = 0.0434783 breaks it"),
        ({"alpha": 0.5}, True, "needs alpha <= 1/L"),
        ({"beta": 1 / 191}, True, "the published step 1/(12 L(w)) is at most 0.005208: beta = 0.0052356 exceeds it"),
        ({"beta": 1 / 193}, False, "the sharp step 1/L(w) is at most 0.25: beta = 0.00518135 is not refuted"),
        ({}, False, "needs alpha <= 0.0416"),
    ],
)
def test_what_the_bounds_say_of_the_steps(steps, broken, words):
    found = lower_bounds(quadratic, [-1.0, 1.0], np.ones(3), radius=1.0, **steps)
    assert found.broken is broken and words in str(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"radius": 0.0}, "radius must be positive"),
        ({"alpha": -1.0}, "alpha must be positive"),
        ({"points": 0}, "points must be positive"),
        ({"tasks": []}, "at least one task"),
        ({"gradient": lambda w, task: w[:2]}, "finite numbers of shape"),
        ({"gradient": lambda w, task: w * np.nan}, "finite numbers of shape"),
        ({"sample_gradients": lambda w, task: w}, "samples, 3"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(change, words):
    given = {"gradient": quadratic, "tasks": [0.0], "at": np.ones(3), "radius": 1.0} | change
    with pytest.raises(ValueError, match=words):
        lower_bounds(**given)


def test_the_same_seed_finds_the_same():
    one, two = (lower_bounds(cosine, range(8), COSINES.start, radius=1.0, points=4) for _ in range(2))
    assert str(one) == str(two)
