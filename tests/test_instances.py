"""The cosine and ramp families beyond the common contract: constants of any size, shares, and what they refuse."""

import dataclasses
import inspect
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from probes import hessians, sample_points, task_variance

from simulations import exact, families

CONSTANTS = ("L", "rho", "sigma", "sigma_tilde", "sigma_H")
ROUNDING = 1e-9


def test_the_ramp_meets_the_gap_it_is_asked_for():
    """For steep and flat ramps, the start lies at height Delta above the infimum, which is at infinity."""
    for eps, Delta in itertools.product((1e-3, 0.1, 3.0), (1e-4, 1.0, 50.0)):
        ramp = families.resisting_ramp(eps=eps, Delta=Delta)
        far = np.array([1e4 * (1 + abs(ramp.start[0])), 0.0])
        assert math.isclose(ramp.values(ramp.start)[0] - ramp.values(far)[0], Delta, rel_tol=1e-9)


@pytest.mark.parametrize(("L", "rho", "binding"), [(1.0, 1.0, "rho"), (0.01, 1.0, "L")])
def test_the_ramp_is_the_narrowest_that_its_constants_allow(L, rho, binding):
    """On the ramp's own coordinate one of L and rho is reached, so a narrower ramp would break it."""
    ramp = families.resisting_ramp(eps=0.1, L=L, rho=rho)
    tau, across = ramp.shared[0], np.array([1.0, 0.0])
    line = tau * np.linspace(-4, 4, 8001)
    curvature = np.array([ramp.hessian_vector_products(np.array([x, 0.0]), across)[0, 0] for x in line])
    reached = {"L": curvature.max() / L, "rho": np.abs(np.diff(curvature)).max() / (line[1] - line[0]) / rho}
    assert all(ratio <= 1 + ROUNDING for ratio in reached.values())
    assert reached[binding] >= 1 - 1e-5


scale = st.floats(-3, 3).map(lambda power: 10.0**power)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    numbers=st.fixed_dictionaries(dict.fromkeys(CONSTANTS, scale)),
    dim=st.integers(1, 4),
    tasks=st.integers(1, 5),
    share=st.one_of(st.none(), st.just(0.0)),
    seed=st.integers(0, 5),
)
def test_cosine_tasks_meet_constants_of_any_size(numbers, dim, tasks, share, seed):
    """sigma at w = 0 exactly, and nowhere more; L at the bottom of a well; the mean of the tilts is zero."""
    if tasks == 1:
        numbers = {**numbers, "sigma": 0.0}
    family = families.cosine(dim=dim, tasks=tasks, shift_share=share, seed=seed, **numbers)
    L, rho, sigma = (numbers[name] for name in ("L", "rho", "sigma"))
    assert math.isclose(task_variance(family, np.zeros(dim)), sigma**2, rel_tol=1e-9)
    rounding = 1e-14 * dim * (L**2 / rho + sigma)
    for w in sample_points(family, 20, seed):
        assert math.sqrt(task_variance(family, w)) <= sigma * (1 + ROUNDING) + rounding
        assert np.abs(hessians(family, w)).max() <= L * (1 + ROUNDING)
    bottoms = family.table[0]
    curvatures = [family.hessian_vector_products(c, np.ones(dim))[i] for i, c in enumerate(bottoms)]
    assert_allclose(curvatures, L, rtol=1e-12)
    assert np.abs(family.probabilities @ family.table[1]).max() <= 1e-13 * sigma
    height = np.abs(family.start) * rho / L
    assert ((math.pi / 2 <= height) & (height <= 5 * math.pi / 6)).all()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(share=st.floats(0, 1), tasks=st.integers(4, 5), sigma=scale)
def test_shifts_carry_the_share_they_are_asked_for(share, tasks, sigma):
    """The variance without the tilts is shift_share sigma^2, or the share is refused as beyond the amplitude."""
    p = (tasks // 2) / tasks
    reachable = min(1.0, 2 * 4 * p * (1 - p) / sigma**2)
    build = {"dim": 2, "tasks": tasks, "sigma": sigma, "shift_share": share}
    if share > reachable * (1 + 1e-12):
        with pytest.raises(ValueError, match="shift_share can be at most"):
            families.cosine(**build)
    elif share < reachable * (1 - 1e-12):
        family = families.cosine(**build)
        tilts = family.table[1]
        assert math.isclose(
            sigma**2 - (tilts**2).sum() / tasks, share * sigma**2, rel_tol=1e-9, abs_tol=1e-9 * sigma**2
        )
        assert math.isclose(task_variance(family, np.zeros(2)), sigma**2, rel_tol=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(L=scale, rho=scale, tasks=st.integers(4, 9), over=st.floats(1.0, 100.0))
def test_shifts_at_the_end_of_their_amplitude_are_built(L, rho, tasks, over):
    """With sigma at or far beyond what shifts can carry, the default takes all there is, without a domain error."""
    p = (tasks // 2) / tasks
    most = math.sqrt(2 * 4 * p * (1 - p)) * L**2 / rho
    family = families.cosine(dim=2, tasks=tasks, L=L, rho=rho, sigma=most * over, shift_share=None)
    assert math.isclose(task_variance(family, np.zeros(2)), (most * over) ** 2, rel_tol=1e-9)
    assert families.cosine(dim=2, tasks=tasks, L=L, rho=rho, sigma=most * (1 - 1e-15), shift_share=1.0).size == tasks


@pytest.mark.parametrize("name", families.BY_CONSTANTS)
def test_constants_may_be_typed_as_fractions(name):
    """ "1/2" and Fraction(1, 2) build what 0.5 builds, and stay exact in the record."""
    build = getattr(families, name)
    names = [key for key in CONSTANTS if inspect.signature(build).parameters[key].default != 0 or key != "rho"]
    typed = build(**dict.fromkeys(names, "1/2"))
    for other in (build(**dict.fromkeys(names, number)) for number in (Fraction(1, 2), 0.5)):
        assert (typed.table == other.table).all() and (typed.shared == other.shared).all()
        assert (typed.oracle.spread == other.oracle.spread).all()
        assert exact.gap(typed, 0.1) == exact.gap(other, 0.1)
    assert typed.constants.sigma == "1/2"


def test_seeds_give_different_tasks_and_the_same_seed_the_same():
    """The seed is all that is random about a family."""
    one, same, other = (families.cosine(dim=3, tasks=4, seed=seed) for seed in (1, 1, 2))
    assert (one.table == same.table).all() and (one.start == same.start).all()
    assert not (one.table == other.table).all() and not (one.start == other.start).all()


def _foreign():
    """A family with kernels of its own."""
    family = families.cosine(dim=2)
    return dataclasses.replace(family, kernels=tuple(family.kernels))


REFUSALS = {
    "cosine: no rho": (lambda: families.cosine(rho=0), "rho must be positive"),
    "cosine: no L": (lambda: families.cosine(L=0), "L must be positive"),
    "cosine: one task": (lambda: families.cosine(tasks=1), "sigma must be 0 for a single task"),
    "cosine: share": (lambda: families.cosine(sigma=9, shift_share=0.9), "shift_share can be at most 0.19"),
    "cosine: negative share": (lambda: families.cosine(shift_share=-0.1), r"shift_share must lie in \[0, 1\]"),
    "cosine: NaN share": (lambda: families.cosine(shift_share=math.nan), r"shift_share must lie in \[0, 1\]"),
    "cosine: sigma": (lambda: families.cosine(sigma=-1), "sigma must be finite and not negative"),
    "cosine: sigma_tilde": (lambda: families.cosine(sigma_tilde=math.nan), "sigma_tilde must be"),
    "cosine: sigma_H": (lambda: families.cosine(sigma_H=math.inf), "sigma_H must be finite"),
    "cosine: dim": (lambda: families.cosine(dim=0), "dim must be a whole number of at least 1"),
    "cosine: tasks": (lambda: families.cosine(tasks=2.5), "tasks must be a whole number"),
    "cosine: bool": (lambda: families.cosine(dim=True), "dim must be a whole number"),
    "cosine: two tasks": (lambda: families.cosine(tasks=2, shift_share=0.5), "shift_share must be 0 or 1 for two"),
    "welsch: no rho": (lambda: families.welsch(rho=0), "rho must be positive for welsch tasks"),
    "welsch: share": (lambda: families.welsch(sigma=9, shift_share=0.9), "shift_share can be at most 0.138"),
    "tail: q": (lambda: families.algebraic_tail(q=1), r"q must lie in \(1, 100\]"),
    "tail: no number": (lambda: families.algebraic_tail(q="two"), "q must be a number"),
    "quadratic: rho": (lambda: families.quadratic(rho=0.1), "rho must be 0 for quadratic tasks"),
    "quadratic: one task": (lambda: families.quadratic(tasks=1), "sigma must be 0 for a single task"),
    "quadratic: condition": (lambda: families.quadratic(condition=0.5), "condition must be finite and at least 1"),
    "quadratic: distance": (lambda: families.quadratic(distance=0), "distance must be finite"),
    "rotated: of": (lambda: families.rotated(of="rotated"), "of must be one of algebraic_tail, cosine, quadratic"),
    "rotated: rho": (lambda: families.rotated(of="quadratic"), "rho must be 0 for quadratic tasks"),
    "rotated: options": (
        lambda: families.rotated(of="algebraic_tail", options={"q": 0.5}),
        r"q must lie in \(1, 100\] for algebraic tails, got 0.5",
    ),
    "turned: shape": (lambda: families.cosine(dim=3).turned_by(np.eye(2)), r"Q must be an orthogonal matrix of shape"),
    "turned: stretched": (lambda: families.cosine(dim=2).turned_by(2 * np.eye(2)), "Q must be an orthogonal matrix"),
    "turned: kernels": (lambda: _foreign().turned_by(np.eye(2)), "only a family with the kernels of simulations.separ"),
    "proof": (lambda: dataclasses.replace(_foreign(), proof=None).certificate(), "the cosine family brings no proof"),
    "ramp: dim": (lambda: families.resisting_ramp(dim=1), "dim must be at least 2 for a resisting ramp"),
    "ramp: one task": (lambda: families.resisting_ramp(tasks=1, sigma=1), "sigma must be 0 for a single task"),
    "ramp: eps": (lambda: families.resisting_ramp(eps=0), "eps must be above 0"),
    "ramp: infinite eps": (lambda: families.resisting_ramp(eps=math.inf), "eps must be above 0"),
    "ramp: slope_factor": (lambda: families.resisting_ramp(slope_factor=1), "slope_factor must be above 1"),
    "ramp: rho": (lambda: families.resisting_ramp(rho=0), "rho must be above 0"),
    "ramp: Delta": (lambda: families.resisting_ramp(Delta=0), "Delta must be above 0"),
    "ramp: negative Delta": (lambda: families.resisting_ramp(Delta=-1), "Delta must be finite and not negative"),
    "ramp: L": (lambda: families.resisting_ramp(L=-1), "L must be finite and not negative"),
    "point": (lambda: families.resisting_ramp().gradients([1.0]), r"w must have shape \(2,\) .* got \(1,\)"),
    "start": (lambda: families.cosine(dim=3).started_at(np.ones(4)), r"w must have shape \(3,\)"),
    "points": (lambda: families.cosine(dim=3, tasks=2).values_at(np.ones((3, 3))), r"must have shape \(2, 3\)"),
    "gradients": (lambda: families.cosine(dim=3, tasks=2).gradients_at(np.ones((2, 2))), r"must have shape \(2, 3\)"),
    "vector": (lambda: families.cosine(dim=3).hessian_vector_products(np.ones(3), np.ones(2)), "v must have shape"),
}


@pytest.mark.parametrize(("build", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_one_clear_sentence(build, message):
    """What no family can be, or no task can answer, ends in a ValueError that names the argument."""
    with pytest.raises(ValueError, match=message) as refusal:
        build()
    assert "\n" not in str(refusal.value) and ". " not in str(refusal.value)
