"""MAML's relatives: each is the plain loop of its paper to rounding, judged by the gradient of its own objective; and
Hessian-free MAML stalls where theory says so."""

import dataclasses
import math

import numpy as np
import pytest
import reference
from instances import ten_tasks
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from reference_methods import FirstOrder, HessianFree, Implicit, MultiStep, Reptile

from simulations import Experiment, exact, families, run
from simulations.methods import METHODS
from theory import CLAIMS

ALPHA = 1 / 6
NOISE = {"L": 1.5, "rho": 0.8, "sigma": 0.5, "sigma_tilde": 0.4, "sigma_H": 0.7}
BATCHES = {"D_in": 2, "D_o": 3, "D_h": 2}
a = ALPHA * NOISE["L"]
RELATIVES = {
    "fo_maml": ("fo_maml", {}, FirstOrder, {}),
    "hf_maml": ("hf_maml", {}, HessianFree, {"rho": NOISE["rho"]}),
    "hf_maml, small zeta": ("hf_maml", {"zeta": 0.01}, HessianFree, {"rho": NOISE["rho"], "zeta": 0.01}),
    "multi_step": ("multi_step", {"inner_steps": 3}, MultiStep, {"steps": 3}),
    "reptile": ("reptile", {"steps": 3}, Reptile, {"steps": 2}),
    "reptile, one step": ("reptile", {"steps": 1}, Reptile, {"steps": 0}),
    "imaml": ("imaml", {"tolerance": 1e-16}, Implicit, {"strength": 6.0}),
    "imaml, lambda": ("imaml", {"tolerance": 1e-16, "lambda": 2.0}, Implicit, {"strength": 2.0}),
}
PUBLISHED = {"fo_maml": (18 * 4, 18 * 2 * ALPHA), "hf_maml": (25 * 4, 25 * 2 * ALPHA)}
JI = 100 * (1 + a) ** 6, 100 * ((1 + a) ** 2 * ALPHA + (1 + a) ** 3 * ((1 + a) ** 2 - 1) / NOISE["L"]) * (1 + a) ** 3
PUBLISHED["multi_step"] = JI


def _cosine():
    family = families.cosine(dim=3, tasks=5, **NOISE, seed=4)
    return family, [reference.Cosine(NOISE["L"], NOISE["rho"], c, b) for c, b in zip(*family.table, strict=True)]


def _ramp():
    family = families.resisting_ramp(eps=0.3, slope_factor=1.1, Delta=0.5, **NOISE)
    tilts = (NOISE["sigma"], -NOISE["sigma"])
    return family, [reference.Ramp(NOISE["L"], NOISE["rho"], 1.1 * 0.3, tilt) for tilt in tilts]


@pytest.mark.parametrize("B", [None, 4])
@pytest.mark.parametrize("build", [_cosine, _ramp])
@pytest.mark.parametrize("relative", RELATIVES.values(), ids=RELATIVES)
def test_trajectories_are_those_of_the_plain_loops(relative, build, B):
    """||grad F||, F and the step at every iteration, with every source of noise, to 1e-12; published steps where there
    are any."""
    (name, options, Relative, fields), (family, tasks) = relative, build()
    law = [1 / len(tasks)] * len(tasks)
    problem = Relative(tasks, law, ALPHA, NOISE["sigma_tilde"], NOISE["sigma_H"], **BATCHES, **fields)
    step, rule = {"step": 0.05}, lambda k, w, noise: 0.05
    if name in PUBLISHED:
        on_L, on_rho = PUBLISHED[name]
        step = {"step": "published", "B_step": 3, "D_step": 2}

        def rule(k, w, noise):
            return 1 / (on_L * NOISE["L"] + on_rho * NOISE["rho"] * problem.mean_norm(w, noise, 3, 2))

    asked = Experiment(
        family, ALPHA, name, B=B, **BATCHES, **step, iterations=8, replicates=2, seed=2**40 + 3, method_options=options
    )
    found = run(asked).frame.set_index("replicate")
    for r in range(2):
        rows = reference.trajectory(problem, list(family.start), B, rule, 8, 2**40 + 3, r)
        assert_allclose(found.loc[r, ["grad_norm", "objective", "step"]].to_numpy()[:8], np.array(rows), rtol=1e-12)


@pytest.mark.parametrize("B", [None, 4])
def test_one_inner_step_is_maml_bit_for_bit(B):
    """Multi-step MAML with N = 1 reads the same random numbers and does the same sums."""
    common = {"B": B, **BATCHES, "step": 0.3, "iterations": 30, "replicates": 3}
    maml = run(Experiment(_cosine()[0], ALPHA, **common)).frame
    multi = run(Experiment(_cosine()[0], ALPHA, "multi_step", **common, method_options={"inner_steps": 1})).frame
    assert_frame_equal(maml, multi, check_exact=True)


@pytest.mark.parametrize("build", [_cosine, _ramp])
@pytest.mark.parametrize("name", METHODS)
def test_the_norm_is_that_of_the_objectives_gradient(name, build):
    """grad_norm against central differences of the objective, at a point where nothing vanishes."""
    family = build()[0]
    w, width = family.start + 0.1, 1e-5

    def first(point):
        asked = Experiment(family.started_at(point), ALPHA, name, step=0.1, iterations=1)
        return run(asked, threads=1).frame.iloc[0]

    slopes = [
        (first(w + width * e)["objective"] - first(w - width * e)["objective"]) / (2 * width) for e in np.eye(w.size)
    ]
    assert math.isclose(first(w)["grad_norm"], float(np.linalg.norm(slopes)), rel_tol=1e-8)


def test_sharp_steps_stand_on_the_proved_smoothness():
    """1/L(w), with the sharp constants of FMO's form for one step and of Ji's for several."""
    family = _cosine()[0]
    mean = np.linalg.norm(family.gradients(family.start), axis=1).mean()
    for name in ("fo_maml", "hf_maml"):
        found = run(Experiment(family, ALPHA, name, step="sharp", iterations=1)).frame["step"][0]
        L = (1 + a) ** 2 * NOISE["L"] + (1 + a) * NOISE["rho"] * ALPHA * mean
        assert math.isclose(found, 1 / L, rel_tol=1e-12)
    found = run(Experiment(family, ALPHA, "multi_step", step="sharp", iterations=1)).frame["step"][0]
    sharp = CLAIMS["multi-step-smoothness"].constants("sharp", a=a, N=2)
    L = float(sharp["cL"]) * NOISE["L"] + float(sharp["cg"]) * NOISE["rho"] / NOISE["L"] * mean
    assert math.isclose(found, 1 / L, rel_tol=1e-12)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_imaml_reports_the_accuracy_it_reaches(tolerance):
    """The full-batch update against the exact gradient: within what the reported errors allow, and not exact."""
    family = _cosine()[0].started_at(np.full(3, 0.3))
    asked = Experiment(
        family, ALPHA, "imaml", step=1.0, iterations=1, method_options={"lambda": 1.7, "tolerance": tolerance}
    )
    shown, plan = asked.options.shown, asked.plan()
    assert shown["inner_error"] <= tolerance and shown["cg_error"] <= tolerance
    assert shown["inner_iterations"] > 10 * math.log10(1 / tolerance)
    moved = family.start - run(asked, stop=1).state.points[0]
    finer = run(dataclasses.replace(asked, method_options={"lambda": 1.7, "tolerance": 1e-16}), stop=1)
    error = np.linalg.norm(moved - (family.start - finer.state.points[0]))
    L, rho, strength = NOISE["L"], NOISE["rho"], 1.7
    steep = np.linalg.norm(family.gradients(family.start), axis=1).max()
    inner, mu = shown["inner_error"] * steep / strength, strength - L
    solve = shown["cg_error"] * strength / mu * 2 * steep
    allowed = (strength * rho * 2 * steep / mu**2 + strength * L / mu) * inner + solve
    assert 1e-16 < error <= allowed
    assert plan.setting.options[1] < plan.exact.options[1]


STALL = math.pi / 12 - math.sqrt(3) / (48 * math.pi)


@pytest.mark.parametrize("scale", [{}, {"L": 2.0, "rho": 0.5}])
@pytest.mark.parametrize("step", ["published", 0.1])
def test_hessian_free_maml_stands_still_where_the_gradient_is_not_zero(step, scale):
    """Two tasks, exact oracles, full batch: |grad F| = pi/12 - sqrt(3)/(48 pi) = 0.2503134 L^2/rho for HF-MAML and
    FO-MAML at every iteration, and below 1e-10 for MAML, 1e-9 for HF-MAML with a small zeta."""
    L, rho = scale.get("L", 1.0), scale.get("rho", 1.0)
    tasks = families.sinc_stall(**scale)
    asked = {"step": step if isinstance(step, str) else step / L, "iterations": 20_000, "record_every": 10}
    asked["alpha"] = 1 / (6 * math.pi * L)
    for method in ("hf_maml", "fo_maml"):
        norms = run(Experiment(tasks, method=method, **asked)).frame["grad_norm"]
        assert np.abs(norms * rho / L**2 - STALL).max() < 1e-9
    for method, options, below in (("maml", {}, 1e-10), ("hf_maml", {"zeta": 1e-6}, 1e-9)):
        assert run(Experiment(tasks, method=method, method_options=options, **asked)).replicates["smallest"][0] < below


def _last(method, options=None, alpha="1/6", **asked):
    """||grad F|| at the end of a run on the ten tasks, the mean over its replicates."""
    asked = {"step": 0.3, "iterations": 2000, **asked}
    every = asked["iterations"]
    found = run(Experiment(ten_tasks(), alpha, method, **asked, record_every=every, method_options=options or {}))
    return found.frame.groupby("iteration")["grad_norm"].mean().iloc[-1]


def test_hessian_free_maml_stalls_on_ten_tasks_and_repaired_it_does_not():
    """Full batch, exact oracles: floors of HF-MAML with the published delta and of FO-MAML; none for MAML and for the
    repaired delta, which goes below the eps it was made for."""
    assert 1.9 < float(ten_tasks().constants.sigma) < 2.0
    assert 2.0e-3 < _last("hf_maml") < 2.5e-3
    assert 1.4e-2 < _last("fo_maml", alpha="1/10") < 1.7e-2
    assert _last("maml") < 1e-10
    for eps in (1e-3, 1e-5, 1e-7):
        assert _last("hf_maml", {"zeta": "repaired"}, eps=(eps,)) < eps / 10


@pytest.mark.parametrize("samples", [10**6, 10**8])
def test_more_samples_do_not_lift_the_stall(samples):
    """With noisy oracles the floor stays where it is, while MAML's falls like one over the root of the samples."""
    batches = {"D_in": samples, "D_o": samples, "D_h": samples, "replicates": 4}
    assert 2.0e-3 < _last("hf_maml", **batches) < 2.5e-3
    assert _last("maml", **batches) < 1 / math.sqrt(samples)
    assert _last("hf_maml", {"zeta": 1e-4}, **batches) < 1 / math.sqrt(samples)


def test_a_larger_batch_of_tasks_does_not_lift_the_stall():
    """32 replicates of B = 2000 sampled tasks, steps that fall like 1/k: the gradient at their mean point keeps the
    floor for HF-MAML alone."""
    asked = {"B": 2000, "replicates": 32, "iterations": 250, "record_every": 250}
    asked["step"] = lambda k: 0.7 if k < 60 else 0.7 / (1 + (k - 60) / 8)

    def floor(method):
        points = run(Experiment(ten_tasks(), "1/6", method, **asked)).state.points
        return np.linalg.norm(exact.meta_gradient(ten_tasks(), points.mean(axis=0), 1 / 6))

    assert 1.8e-3 < floor("hf_maml") < 2.8e-3
    assert floor("maml") < 1e-3


REFUSALS = {
    "maml": ("maml", {"zeta": 1}, "method_options of this method are none, got 'zeta'"),
    "other option": ("multi_step", {"steps": 3}, "method_options are inner_steps, got 'steps'"),
    "inner_steps": ("multi_step", {"inner_steps": 0}, "inner_steps must be a whole number of at least 1, got 0"),
    "steps beyond the noise": ("reptile", {"steps": 256}, "steps can be at most 255, where noise would repeat"),
    "steps": ("reptile", {"steps": 1.5}, "steps must be a whole number of at least 1, got 1.5"),
    "zeta": ("hf_maml", {"zeta": "small"}, "zeta must be 'published', 'repaired' or a positive number, got 'small'"),
    "zeta zero": ("hf_maml", {"zeta": 0}, "zeta must be a positive number, got 0"),
    "zeta without eps": ("hf_maml", {"zeta": "repaired"}, "zeta = 'repaired' needs an eps"),
    "lambda": ("imaml", {"lambda": 1.5}, "lambda must be above L = 1.5, where the inner problem is convex, got 1.5"),
    "tolerance": ("imaml", {"tolerance": 1.0}, "tolerance must be below 1, got 1.0"),
}


@pytest.mark.parametrize(("method", "options", "message"), REFUSALS.values(), ids=REFUSALS)
def test_options_out_of_range_are_one_sentence(method, options, message):
    """Refused when the experiment is written down."""
    with pytest.raises(ValueError, match=message) as refusal:
        Experiment(_cosine()[0], ALPHA, method, step=0.1, method_options=options)
    assert "\n" not in str(refusal.value) and ". " not in str(refusal.value)


def test_what_a_method_cannot_do_is_said():
    """Steps nobody published, and a delta that is not defined."""
    family = _cosine()[0]
    for method in ("reptile", "imaml"):
        for step in ("published", "exact", "sharp"):
            with pytest.raises(ValueError, match=f"{method} has no '{step}' step: give a number or a function"):
                Experiment(family, ALPHA, method, step=step)
    with pytest.raises(ValueError, match="hf_maml needs positive rho and alpha"):
        Experiment(family, 0, "hf_maml")
    with pytest.raises(ValueError, match="imaml with alpha = 0 needs a lambda"):
        Experiment(family, 0, "imaml", step=0.1)
    assert Experiment(family, 0, "imaml", step=0.1, method_options={"lambda": 2}).options.shown["lambda"] == 2
