"""Merged draws have the law of all draws: the same numbers where nothing is merged, exact moments, and two samples that
no test of level 1e-9 tells apart.

The checks are functions; planted faults go through the same functions and must fail them.
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from simulations import Experiment, engine_cpu, exact, families, run

ALPHA, DELTA = 1 / 6, 1e-9
LOUD = {"L": 1.0, "rho": 1.0, "sigma": 0.3, "sigma_tilde": 3.0, "sigma_H": 4.0}
BATCHES = {"B": 3, "D_in": 1, "D_o": 2, "D_h": 3}
REPLICATES = 2**16
METHODS = {"maml": {}, "fo_maml": {}, "multi_step": {"inner_steps": 2}}


def _family(dim=3):
    return families.cosine(dim=dim, tasks=4, **LOUD, seed=1)


def _updates(draws, method="maml", seed=0, family=None, **changes):
    """One step of length 1 from the start, for many replicates: the directions, (replicates, d)."""
    family = family or _family()
    options = {"method": method, "method_options": METHODS[method], "draws": draws, "seed": seed}
    wanted = Experiment(family, ALPHA, **BATCHES, step=1.0, iterations=1, replicates=REPLICATES, **options)
    plan, points = wanted.plan()._replace(**changes), np.tile(family.start, (REPLICATES, 1))
    engine_cpu.advance(plan, points, np.ones(1), 0, 1)
    return family.start - points


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [3, 40, 5000])
def test_without_outer_noise_both_plans_are_one(method, dim):
    """Only the outer noise is merged: the other draws stand at the same addresses and enter in the same way."""
    fields = {"method": method, "method_options": METHODS[method], "step": 0.1, "iterations": 4, "replicates": 5}
    frames = [
        run(Experiment(_family(dim), ALPHA, **{**BATCHES, "D_o": None}, draws=draws, **fields)).frame
        for draws in ("all", "merged")
    ]
    for name in ("grad_norm", "objective"):
        assert_allclose(frames[1][name], frames[0][name], rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [3, 40])
def test_the_engines_agree_on_merged_draws(method, dim):
    """The array engine finds the numbers of the CPU engine to rounding."""
    fields = {"method": method, "method_options": METHODS[method], "iterations": 3, "replicates": 5, "draws": "merged"}
    step = {"B_step": 3, "D_step": 2}
    frames = [
        run(Experiment(_family(dim), ALPHA, **BATCHES, **step, **fields, engine=engine)).frame
        for engine in ("cpu", "numpy")
    ]
    for name in ("grad_norm", "objective", "step"):
        assert_allclose(frames[1][name], frames[0][name], rtol=1e-10)


def _largest_statistic(one, other):
    """The largest two-sample Kolmogorov-Smirnov statistic over the coordinates, their squares' sum and two products.

    By Massart's form of the inequality of Dvoretzky, Kiefer and Wolfowitz each empirical law of n is within
    sqrt(log(2/p)/(2n)) of its own but for probability p, so two samples of one law are within twice that.
    """
    faces = [
        np.column_stack([found, (found**2).sum(axis=1), found[:, 0] * found[:, 1], found.sum(axis=1)])
        for found in (one, other)
    ]
    return max(stats.ks_2samp(x, y, method="asymp").statistic for x, y in zip(*map(np.transpose, faces), strict=True))


def _bound(statistics=6):
    return 2 * math.sqrt(math.log(2 * 2 * statistics / DELTA) / (2 * REPLICATES))


@pytest.mark.parametrize("method", METHODS)
def test_both_plans_have_one_law(method):
    """Coordinates, norm, sums and products of the direction, at level 1e-9."""
    assert _largest_statistic(_updates("all", method), _updates("merged", method, seed=1)) <= _bound()


def _excess(found, B=BATCHES["B"]):
    """Standard errors by which the mean and the second moment are off the exact ones, the most of all."""
    family = _family()
    moments = exact.moments(family, family.start, ALPHA, BATCHES["D_in"], BATCHES["D_o"], BATCHES["D_h"])
    second = moments.second / B + (1 - 1 / B) * moments.mean @ moments.mean
    statistics = np.column_stack([found, (found**2).sum(axis=1)])
    errors = statistics.std(axis=0, ddof=1) / math.sqrt(len(found))
    return (np.abs(statistics.mean(axis=0) - [*moments.mean, second]) / errors).max()


ERRORS = 6.5
"""As in `test_engine`: a normal goes beyond with probability 8e-11, and the skewness here is below 5."""


def test_moments_of_merged_draws_are_the_exact_ones():
    """E of the direction and of its squared norm, of a batch of independent tasks."""
    assert _excess(_updates("merged")) <= ERRORS


def _louder(samples):
    """The merged plan with another number of outer samples."""
    setting = Experiment(_family(), ALPHA, **BATCHES, step=1.0).plan().setting
    return {"setting": setting._replace(D_o=samples)}


@pytest.mark.parametrize("samples", [1.8, 2.25])
def test_planted_faults_fail_the_moments(samples):
    """Outer noise five per cent off in its deviation."""
    assert _excess(_updates("merged", **_louder(samples))) > ERRORS


def test_planted_faults_fail_the_comparison():
    """Outer noise left out, and the plan of another method."""
    right = _updates("all")
    assert _largest_statistic(right, _updates("merged", seed=1, **_louder(np.inf))) > _bound()
    assert _largest_statistic(right, _updates("merged", "fo_maml", seed=1)) > _bound()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"method": "hf_maml"}, "draws must be 'all' for hf_maml, whose outer noise does not enter linearly"),
        ({"method": "reptile", "step": 0.1}, "draws must be 'all' for reptile, whose outer noise"),
        ({"draws": "few"}, "draws must be one of all, merged, got 'few'"),
        ({"family": _family().with_noise("student_t")}, "got student_t and isotropic"),
        ({"family": _family().with_noise(hessian="symmetric")}, "got gaussian and symmetric"),
        ({"family": families.rotated(dim=3, tasks=4)}, "tasks, whose Hessians are not diagonal"),
    ],
)
def test_what_cannot_be_merged_is_refused(changes, refusal):
    """One sentence that names the field."""
    with pytest.raises(ValueError, match=refusal) as found:
        Experiment(**{"family": _family(), "alpha": ALPHA, "draws": "merged", **changes})
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("hessian", ["isotropic", "diagonal"])
def test_merged_draws_serve_both_kinds_of_diagonal_noise(hessian):
    """At level 1e-9, as above."""
    family = _family().with_noise(hessian=hessian)
    assert _largest_statistic(_updates("all", family=family), _updates("merged", family=family, seed=1)) <= _bound()
