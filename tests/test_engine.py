"""The engine is Algorithm 1: the plain loops of `reference` to rounding, the same bits for any threads and chunks, and
moments that are the exact ones.

The check of the moments is one function; planted faults go through the same function and must fail it.
"""

import dataclasses
import math

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from simulations import Experiment, engine_cpu, exact, experiment, families, run
from simulations.kernels import DIRECTION, callback
from simulations.methods import METHODS
from simulations.philox import HESSIAN, INNER, OUTER, at

ALPHA = 1 / 6
NOISE = {"L": 1.5, "rho": 0.8, "sigma": 0.5, "sigma_tilde": 0.4, "sigma_H": 0.7}
BATCHES = {"D_in": 2, "D_o": 3, "D_h": 2}
STEPS = {
    "published": {"step": "published"},
    "published, sampled": {"step": "published", "B_step": 3, "D_step": 2},
    "published, exact samples": {"step": "published", "B_step": 2},
    "exact": {"step": "exact"},
    "sharp": {"step": "sharp"},
    "number": {"step": 0.2},
    "callable": {"step": lambda k: 0.3 / (1 + k)},
}


def _cosine(dim=3, tasks=5):
    return families.cosine(dim=dim, tasks=tasks, **NOISE, seed=4)


def _ramp():
    return families.resisting_ramp(eps=0.3, slope_factor=1.1, Delta=0.5, **NOISE)


def _reference_tasks(family):
    """The tasks in the reference's own formulas; only shifts and tilts are read from the family."""
    L, rho = NOISE["L"], NOISE["rho"]
    if family.name == "cosine":
        return [reference.Cosine(L, rho, c, b) for c, b in zip(*family.table, strict=True)]
    return [reference.Ramp(L, rho, 1.1 * 0.3, tilt) for tilt in (NOISE["sigma"], -NOISE["sigma"])]


def _reference_step(asked, problem):
    """beta_k by the rules of the paper: 1/(12 (4L + 2 rho alpha m)), or the sharp 1/((1+a)^2 L + (1+a) rho alpha m)."""
    rule, B_step, D_step = asked["step"], asked.get("B_step"), asked.get("D_step", math.inf)
    if not isinstance(rule, str):
        return lambda k, w, noise: rule(k) if callable(rule) else rule
    L, rho, a = NOISE["L"], NOISE["rho"], ALPHA * NOISE["L"]
    on_L, on_mean = ((1 + a) ** 2, 1 + a) if rule == "sharp" else (48, 24)
    return lambda k, w, noise: 1 / (on_L * L + on_mean * rho * ALPHA * problem.mean_norm(w, noise, B_step, D_step))


def _assert_follows_reference(family, asked, seed=2**40 + 3, iterations=12, replicates=3):
    found = run(
        Experiment(family, ALPHA, **BATCHES, **asked, iterations=iterations, replicates=replicates, seed=seed)
    ).frame.set_index("replicate")
    tasks = _reference_tasks(family)
    law = [1 / len(tasks)] * len(tasks)
    problem = reference.Problem(tasks, law, ALPHA, NOISE["sigma_tilde"], NOISE["sigma_H"], **BATCHES)
    for r in range(replicates):
        step = _reference_step(asked, problem)
        rows = reference.trajectory(problem, list(family.start), asked.get("B"), step, iterations, seed, r)
        engine = found.loc[r, ["grad_norm", "objective", "step"]].to_numpy()[:iterations]
        assert_allclose(engine, np.array(rows), rtol=1e-12)


@pytest.mark.parametrize("asked", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("B", [None, 4])
def test_cosine_trajectories_are_those_of_the_plain_loops(B, asked):
    """||grad F||, F and the step at every iteration, with every source of noise, to 1e-12."""
    _assert_follows_reference(_cosine(), {"B": B, **asked})


@pytest.mark.parametrize("asked", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("B", [None, 3])
def test_ramp_trajectories_are_those_of_the_plain_loops(B, asked):
    """The same for the other family, from the start the reference computes on its own."""
    family = _ramp()
    plain = reference.Ramp(NOISE["L"], NOISE["rho"], 1.1 * 0.3, NOISE["sigma"])
    assert_allclose(family.start, plain.start(0.5), rtol=1e-13)
    _assert_follows_reference(family, {"B": B, **asked})


def test_unequal_probabilities_reach_every_part_of_the_algorithm():
    """Task draws, step-size draws, full batches, F and grad F all weight tasks by their probabilities."""
    law = [0.6, 0.05, 0.05, 0.1, 0.2]
    family = dataclasses.replace(_cosine(), probabilities=np.array(law))
    problem = reference.Problem(_reference_tasks(family), law, ALPHA, NOISE["sigma_tilde"], NOISE["sigma_H"], **BATCHES)
    assert_allclose(exact.meta_gradient(family, family.start, ALPHA), problem.gradient(family.start), rtol=1e-12)
    assert math.isclose(exact.objective(family, family.start, ALPHA), problem.objective(family.start), rel_tol=1e-13)
    for B, asked in ((None, STEPS["exact"]), (6, STEPS["published, sampled"])):
        found = run(Experiment(family, ALPHA, B=B, **BATCHES, **asked, iterations=6)).frame
        step = _reference_step(asked, problem)
        rows = reference.trajectory(problem, list(family.start), B, step, 6, 0, 0)
        assert_allclose(found[["grad_norm", "objective", "step"]].to_numpy()[:6], np.array(rows), rtol=1e-12)


def _experiment(**changes):
    fields = {"iterations": 50, "replicates": 7, "eps": (2.0, 1.0), "record_every": 3, **STEPS["published, sampled"]}
    return Experiment(_cosine(), ALPHA, B=4, **BATCHES, **{**fields, **changes})


def _assert_same_bits(one, other):
    for name in ("frame", "first_passage", "mean", "mean_passage"):
        assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dim", "B"), [(1, 3), (2, 5), (3, 3), (11, 7)])
def test_results_are_the_same_bits_for_any_blocks(monkeypatch, method, dim, B):
    """Replicates one by one, a row of the batch at a time, some at once, and all; odd counts of numbers included."""
    step = {"step": 0.05} if METHODS[method].smoothness is None else {"B_step": 3, "D_step": 2}
    asked = {"B": B, **BATCHES, **step, "method": method, "iterations": 4, "replicates": 7, "eps": (1.0,)}
    wanted, found = Experiment(_cosine(dim), ALPHA, **asked), []
    for block, lanes, tile in ((1, 1, 1), (3 * B * dim, 3, max(B, 5)), (2 * dim, 1, 2), (10**6, 7, max(B, 5))):
        monkeypatch.setattr(engine_cpu, "BLOCK", block)
        monkeypatch.setattr(engine_cpu, "MOST_LANES", 7)
        assert (wanted.plan().lanes, wanted.plan().tile) == (lanes, tile)
        found.append(run(wanted))
    for other in found[1:]:
        _assert_same_bits(found[0], other)


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_results_are_the_same_bits_for_any_number_of_threads(threads):
    """More threads than replicates included."""
    _assert_same_bits(run(_experiment(), threads=1), run(_experiment(), threads=threads))


@pytest.mark.parametrize(("work", "longest"), [(1, 65_536), (30_000_000, 7), (30_000_000, 1), (800, 65_536)])
def test_results_are_the_same_bits_for_any_chunking(monkeypatch, work, longest):
    """Chunks of one iteration, of seven, and of what little work allows, which cut between recorded rows."""
    whole, calls = run(_experiment(), threads=1), []
    monkeypatch.setattr(experiment, "_CHUNK_WORK", work)
    monkeypatch.setattr(experiment, "_LONGEST_CHUNK", longest)
    parts = run(_experiment(), threads=2, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 5 and calls[-1] == (50, 50)
    _assert_same_bits(whole, parts)


def test_fewer_replicates_are_the_first_of_more():
    """A replicate is a function of its number, and not of how many run beside it."""
    few, many = (run(_experiment(replicates=n)).frame for n in (3, 7))
    assert_frame_equal(few, many[many["replicate"] < 3], check_exact=True)
    norms = many.pivot(index="iteration", columns="replicate", values="grad_norm")
    assert (norms.nunique(axis=1)[1:] == 7).all()


def test_seeds_change_every_iteration_but_the_start():
    """Results of two seeds agree at iteration 0 and nowhere else."""
    one, other = (run(_experiment(seed=seed)).frame["grad_norm"].to_numpy() for seed in (0, 1))
    start = run(_experiment()).frame["iteration"].to_numpy() == 0
    assert_array_equal(one == other, start)


REPLICATES = 2**17
ERRORS = 6.5
"""Standard errors allowed. A normal variable goes beyond with probability 8e-11; the tail of a mean of n variables of
skewness g is larger by exp(6.5^3 g/(6 sqrt(n))) (Cramer), which for n = 2^17 stays below 10 up to g = 18. The largest
skewness here is that of ||G||^2 with all noise, about 5."""


def _excess(family, w, batches, **faults):
    """How many standard errors the engine's mean and second moment of G lie off the exact ones, the larger of both.

    Args:
        family, w: tasks and point.
        batches: D_in, D_o, D_h as asked of both.
        faults: fields of the engine's plan to put in place of the right ones.
    """
    wanted = Experiment(family.started_at(w), ALPHA, B=1, step=1.0, **batches, iterations=1, replicates=REPLICATES)
    points = np.tile(w, (REPLICATES, 1))
    engine_cpu.advance(wanted.plan()._replace(**faults), points, np.ones(1), 0, 1)
    sampled = w - points
    moments = exact.moments(family, w, ALPHA, **batches)
    statistics = np.column_stack([sampled, (sampled**2).sum(axis=1)])
    errors = statistics.std(axis=0, ddof=1) / math.sqrt(REPLICATES)
    off = np.abs(statistics.mean(axis=0) - [*moments.mean, moments.second])
    rounding = 1e-12 * np.abs(statistics).max(axis=0)
    return (off / (errors + rounding)).max()


SETTINGS = {
    "all noisy": {"D_in": 1, "D_o": 1, "D_h": 1},
    "noisy inner": {"D_in": 1, "D_o": 40, "D_h": None},
    "noisy outer": {"D_in": None, "D_o": 2, "D_h": 5},
    "noisy Hessian": {"D_in": 10, "D_o": None, "D_h": 1},
    "tasks alone": {"D_in": None, "D_o": None, "D_h": None},
}
LOUD = {"L": 1.0, "rho": 1.0, "sigma": 0.3, "sigma_tilde": 3.0, "sigma_H": 4.0}


def _instances():
    """Noise that is loud beside the gradients, unequal tasks, points where Hessians are large: faults cannot hide."""
    cosine = families.cosine(dim=3, tasks=4, **LOUD, seed=1)
    cosine = dataclasses.replace(cosine, probabilities=np.array([0.1, 0.4, 0.2, 0.3]))
    ramp = families.resisting_ramp(eps=0.5, slope_factor=1.5, **LOUD)
    return {"cosine": (cosine, np.array([0.6, -0.9, 0.3])), "ramp": (ramp, np.array([-0.05, 0.7]))}


@pytest.mark.parametrize("batches", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("name", ["cosine", "ramp"])
def test_sampled_moments_are_the_exact_ones(name, batches):
    """E G and E||G||^2 of survey (6), for each source of noise alone and all together."""
    assert _excess(*_instances()[name], batches) <= ERRORS


def _direction(outer_role, curvature):
    """MAML's direction with two places to go wrong: the role of the outer samples, and the share of the Hessian."""

    @callback(DIRECTION)
    def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
        (lanes, d), rows = w.shape, weights.size
        here, inner, outer, product = work[0], work[1], work[2], work[3]
        for r in range(lanes * rows):
            here[r] = w[r // rows]
        oracle.gradients(oracle.tasks, oracle.spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
        for r in range(lanes * rows):
            for j in range(d):
                inner[r, j] = here[r, j] - setting.alpha * inner[r, j]
        oracle.gradients(
            oracle.tasks, oracle.spread, inner, picks, parameters, setting.D_o, at(address, outer_role), outer
        )
        oracle.products(
            oracle.tasks, oracle.spread, here, outer, picks, parameters, setting.D_h, at(address, HESSIAN), product
        )
        for r in range(lanes * rows):
            for j in range(d):
                h = outer[r, j] - curvature * setting.alpha * product[r, j]
                out[r // rows, j] += weights[r % rows] * h

    return direction


def _spread(family, sigma_tilde=1.0, sigma_H=1.0):
    return {"oracle": family.oracle._replace(spread=family.oracle.spread * np.array([sigma_tilde, sigma_H]))}


def _setting(family, **changes):
    plan = Experiment(family, ALPHA, **SETTINGS["noisy inner"], step=1.0).plan()
    return {"setting": plan.setting._replace(**changes)}


FAULTS = {
    "sigma_tilde 3% high": ("all noisy", lambda family: _spread(family, sigma_tilde=1.03)),
    "sigma_tilde 3% low": ("noisy outer", lambda family: _spread(family, sigma_tilde=0.97)),
    "sigma_H 10% low": ("noisy Hessian", lambda family: _spread(family, sigma_H=0.9)),
    "D_in swapped with D_o": ("noisy inner", lambda family: _setting(family, D_in=40.0, D_o=1.0)),
    "alpha 3% low": ("tasks alone", lambda family: _setting(family, alpha=0.97 * ALPHA, D_in=np.inf, D_o=np.inf)),
    "Hessian dropped": ("all noisy", lambda family: {"direction": _direction(OUTER, 0.0)}),
    "Hessian's sign": ("tasks alone", lambda family: {"direction": _direction(OUTER, -1.0)}),
    "inner batch used again": ("all noisy", lambda family: {"direction": _direction(INNER, 1.0)}),
}


@pytest.mark.parametrize(("setting", "fault"), FAULTS.values(), ids=FAULTS)
def test_planted_faults_fail_the_check_of_the_moments(setting, fault):
    """Each fault is far outside what the check allows."""
    family, w = _instances()["cosine"]
    assert _excess(family, w, SETTINGS[setting], **fault(family)) > 1.5 * ERRORS


def test_the_faultless_copy_passes_the_check_of_the_moments():
    """What the planted faults fail is the fault and not the copy of the kernel."""
    family, w = _instances()["cosine"]
    plan = {"direction": _direction(OUTER, 1.0)}
    assert plan["direction"] is not METHODS["maml"].direction
    assert _excess(family, w, SETTINGS["all noisy"], **plan) <= ERRORS
