"""The same tasks told another way give the same answers: turned, rescaled, permuted, one task doubled."""

import dataclasses
import inspect
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from probes import hessians, length_scale, sample_points, task_variance

from simulations import Experiment, exact, families, run
from theory.symbols import QUANTITIES

CONSTANTS = {"L": 1.5, "rho": 0.7, "sigma": 0.6, "sigma_tilde": 0.4, "sigma_H": 0.3}
WEIGHTS = {name: QUANTITIES[name].weight for name in CONSTANTS}
OWN_WEIGHTS = {"eps": (1, -1), "Delta": (1, 0), "distance": (0, 1)}
SIZES = {"dim", "tasks", "seed"}
PLAIN = [
    name
    for name in families.NAMES
    if name != "rotated" and inspect.signature(getattr(families, name)).parameters.keys() >= SIZES
]
BATCHES = {"D_in": 3, "D_o": 2, "D_h": 2}


def _parameters(name):
    return inspect.signature(getattr(families, name)).parameters


def _build(name, s=1.0, c=1.0):
    """The family of f -> s f(./c): every constant, and every argument that is a length or a height, by its weight."""
    known = _parameters(name)
    asked = {k: v * s ** WEIGHTS[k][0] * c ** WEIGHTS[k][1] for k, v in CONSTANTS.items()}
    asked |= {k: known[k].default * s**p * c**q for k, (p, q) in OWN_WEIGHTS.items() if k in known}
    if not known["rho"].default:
        asked["rho"] = 0
    return getattr(families, name)(dim=3, tasks=5, seed=3, **asked)


@pytest.fixture(params=PLAIN)
def family(request):
    return _build(request.param)


def _alpha(family):
    return 1 / (6 * float(family.constants.L))


def _turn(d, seed=5):
    return np.linalg.qr(np.random.Generator(np.random.Philox(seed)).standard_normal((d, d)))[0]


def _close(found, wanted, size):
    """Equal to rounding, on the scale of what such a quantity can be."""
    assert_allclose(found, wanted, rtol=1e-10, atol=1e-12 * size)


def _same_answers(found, wanted, w, Q=None):
    """Every exact quantity at w; Q: the points of `found` are Q^T times those of `wanted`."""
    Q = np.eye(w.size) if Q is None else Q
    L, alpha, length = float(wanted.constants.L), _alpha(wanted), length_scale(wanted)
    height, slope = L * length**2, L * length
    there = Q.T @ w
    for function, size in ((exact.objective, height), (exact.meta_gradient, slope)):
        answer = function(wanted, w, alpha)
        _close(function(found, there, alpha), Q.T @ answer if np.ndim(answer) else answer, size)
    one, other = exact.moments(wanted, w, alpha, **BATCHES), exact.moments(found, there, alpha, **BATCHES)
    _close(other.mean, Q.T @ one.mean, slope)
    _close(other.bias, Q.T @ one.bias, slope)
    assert math.isclose(other.second, one.second, rel_tol=1e-10)
    assert math.isclose(exact.gap(found, alpha), exact.gap(wanted, alpha), rel_tol=1e-9)
    _close(task_variance(found, there), task_variance(wanted, w), slope**2)


def test_turned_coordinates_turn_the_answers(family):
    """u = Q w: values as they were, gradients Q^T g, Hessians Q^T H Q; exact quantities, minimum and start too."""
    Q = _turn(family.dim)
    turned = family.turned_by(Q)
    assert turned.constants == family.constants and (turned.rotation == Q).all()
    L, length = float(family.constants.L), length_scale(family)
    for u in sample_points(family, 10):
        w = Q.T @ u
        _close(turned.values(w), family.values(u), L * length**2)
        _close(turned.gradients(w), family.gradients(u) @ Q, L * length)
        _close(hessians(turned, w), Q.T @ hessians(family, u) @ Q, L)
        _same_answers(turned, family, u, Q)
    _close(turned.start, Q.T @ family.start, length)
    if family.minimum and family.minimum.point is not None:
        _close(turned.minimum.point, Q.T @ family.minimum.point, length)


def test_coordinates_couple_when_turned(family):
    """Unless all curvatures are equal the turned Hessian is not diagonal."""
    turned = family.turned_by(_turn(family.dim))
    aside = max(np.abs(h - np.diag(np.diag(h))).max() for w in sample_points(turned, 5) for h in hessians(turned, w))
    assert aside > 1e-3 * float(family.constants.L)


def test_turning_back_gives_what_there_was(family):
    """Two turns are one; a turn and its inverse are none."""
    one, other = _turn(family.dim, 1), _turn(family.dim, 2)
    twice = family.turned_by(one).turned_by(other)
    assert_allclose(twice.rotation, one @ other, rtol=1e-14, atol=1e-15)
    back = family.turned_by(one).turned_by(one.T)
    w = sample_points(family, 1)[0]
    _close(back.gradients(w), family.gradients(w), float(family.constants.L) * length_scale(family))
    assert_allclose(family.turned_by(one).unturned.start, family.start, rtol=1e-12, atol=1e-14 * length_scale(family))
    assert (family.turned_by(one).unturned.shared == family.shared).all() and family.unturned is family


def test_runs_turn_with_the_coordinates(family):
    """A run with exact oracles sees the same norms and objectives from the turned start."""
    turned = family.turned_by(_turn(family.dim))
    one, other = (run(Experiment(f, _alpha(family), step="exact", iterations=30)).frame for f in (family, turned))
    for column in ("grad_norm", "objective", "step"):
        assert_allclose(other[column], one[column], rtol=1e-9)
    assert one["grad_norm"].nunique() == 31


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("s", "c"), [(8.0, 1.0), (1.0, 0.25), (3e3, 70.0), (1e-4, 0.03)])
def test_rescaled_tasks_rescale_the_answers(name, s, c):
    """f -> s f(./c): rescaled constants build the rescaled family, and every answer follows its weight."""
    unit, scaled = _build(name), _build(name, s, c)
    alpha, there = _alpha(unit), _alpha(scaled)
    assert math.isclose(there, alpha * c**2 / s, rel_tol=1e-12)
    L, length = float(unit.constants.L), length_scale(unit)
    assert_allclose(scaled.start, c * unit.start, rtol=1e-11)
    for w in sample_points(unit, 10):
        _close(scaled.values(c * w) / s, unit.values(w), L * length**2)
        _close(scaled.gradients(c * w) * c / s, unit.gradients(w), L * length)
        _close(hessians(scaled, c * w) * c**2 / s, hessians(unit, w), L)
        one, other = exact.moments(unit, w, alpha, **BATCHES), exact.moments(scaled, c * w, there, **BATCHES)
        assert math.isclose(other.second * (c / s) ** 2, one.second, rel_tol=1e-9)
        _close(other.bias * c / s, one.bias, L * length)
    assert math.isclose(exact.gap(scaled, there), s * exact.gap(unit, alpha), rel_tol=1e-9)
    if unit.minimum:
        assert math.isclose(scaled.minimum.value, s * unit.minimum.value, rel_tol=1e-9)
        assert math.isclose(scaled.constants.Delta, s * unit.constants.Delta, rel_tol=1e-9)


def test_the_order_of_the_tasks_is_of_no_matter(family):
    """Tasks and their probabilities permuted."""
    order = np.array([3, 0, 4, 2, 1])
    law = np.array([0.2, 0.2, 0.2, 0.2, 0.2])
    permuted = dataclasses.replace(family, table=family.table[:, order].copy(), probabilities=law)
    for w in sample_points(family, 5):
        _same_answers(permuted, family, w)
        assert (permuted.gradients(w) == family.gradients(w)[order]).all()


def test_a_task_told_twice_with_half_its_probability_each_changes_nothing(family):
    """One task doubled."""
    table = np.concatenate([family.table, family.table[:, :1]], axis=1)
    law = np.array([0.1, 0.2, 0.2, 0.2, 0.2, 0.1])
    doubled = dataclasses.replace(family, table=table, probabilities=law)
    for w in sample_points(family, 5):
        _same_answers(doubled, family, w)


def test_a_restatement_that_is_not_one_is_seen(family):
    """The comparison fails for a task told twice at full probability, and for a turn without the point's."""
    w = sample_points(family, 5)[3]
    table = np.concatenate([family.table, family.table[:, :1]], axis=1)
    uneven = dataclasses.replace(family, table=table, probabilities=np.full(6, 1 / 6))
    with pytest.raises(AssertionError):
        _same_answers(uneven, family, w)
    with pytest.raises(AssertionError):
        _same_answers(family.turned_by(_turn(family.dim)), family, w)
