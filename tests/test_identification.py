"""identify: planted variants are named, wrong candidates stay far, and nothing is named that is none of them."""

import collections
import itertools
import os
import re
import threading
import time

import numpy as np
import planted
import pytest

from simulations import identify
from simulations.identification import DIM, adapters, loss
from simulations.identification.candidates import NAMES, candidates
from simulations.identification.fit import Matcher
from simulations.identification.probes import make_probes
from simulations.identification.quartic import Quartic

PROBES = make_probes((1, 2), (1 / 8,)).probes
NAMED = [
    (planted.maml, "maml", (), "1"),
    (planted.fo_maml, "fo-maml", (), "1"),
    (planted.summed, "maml", (), "n"),
    (planted.one_step_always, "maml", ("1 inner step whatever k",), "1"),
    (planted.wrong_iterate, "maml", ("one inner step fewer than k",), "1"),
    (planted.support_outside, "maml", ("support data in the outer loss",), "1"),
    (planted.last_step_only, "maml", ("differentiated through the last 1 inner step only",), "1"),
    (planted.every_iterate, "maml", ("mean over the iterates 1, ..., k in the outer loss",), "1"),
    (planted.anil, "anil", ("inner steps on w[2:4] only",), "1"),
    (planted.uphill, "maml", (), "-1"),
    (planted.reptile, "reptile", (), "alpha"),
]
STOPPED = "conjugate gradients stopped"
FREE = [
    (planted.imaml, "imaml(lambda = 2)"),
    (planted.halved_lambda, "imaml(lambda = 1)"),
    (planted.no_proximal_term, "imaml(lambda = 2), plain inner solution by k gradient steps"),
    (planted.two_conjugate_gradients, f"imaml(lambda = 2), {STOPPED} after 2"),
    (planted.rough_conjugate_gradients, f"imaml(lambda = 2), {STOPPED} at a residual of 1e-2"),
    (planted.hf_maml, "hf-maml(delta = 0.25), w +- delta v/||v||"),
    (planted.delta_per_tensor, "hf-maml(delta = 0.25), a delta of its own for w[:2] and w[2:]"),
    (planted.another_alpha, "maml, inner step 0.03 whatever alpha"),
    (planted.rows_summed, "maml, inner step 4 alpha"),
]


BATCH = make_probes((1, 2, 3), (1 / 8, 1 / 16))
ROWS = list(range(len(BATCH.probes) - 1))
FIRST = BATCH.probes[0].name
SIMPLE = [candidate for candidate in candidates(3) if not candidate.free]


def test_the_loss_is_a_quartic_with_exact_derivatives_whatever_the_rows():
    probe = PROBES[0]
    for data in probe.tasks[0]:
        mean = data.mean(axis=0)
        assert loss(probe.w, data) == pytest.approx(loss(probe.w, mean), rel=1e-15)
        assert loss(probe.w, data) == pytest.approx(np.mean([loss(probe.w, row) for row in data]), rel=1e-15)
        exact = Quartic(mean)
        assert exact.gradient(probe.w) == pytest.approx(planted.gradient(loss, probe.w, data), rel=1e-13)
        assert exact.hessian(probe.w) == pytest.approx(planted.hessian(loss, probe.w, data), rel=1e-11)


def test_probes_lose_nothing_in_single_precision():
    for probe in BATCH.probes:
        for array in (probe.w, *(data for task in probe.tasks for data in task)):
            assert np.array_equal(array, array.astype(np.float32).astype(float))


@pytest.mark.parametrize(("code", "name", "traits", "law"), NAMED, ids=lambda x: getattr(x, "__name__", None))
def test_variants_are_named_exactly_and_every_other_candidate_is_far(code, name, traits, law):
    report = identify(code)
    assert (report.status, report.name, report.best.candidate.traits, str(report.best.law)) == (
        "named",
        name,
        traits,
        law,
    )
    assert report.best.residual < 1e-12 and not report.faults
    same = {report.best.label, *report.alike}
    rest = report.candidates[~report.candidates["candidate"].isin(same)]
    assert rest["residual"].min() > 1e-3
    assert report.verdict.startswith(report.best.label) and "\n" not in report.verdict


@pytest.mark.parametrize(("code", "label"), FREE, ids=lambda x: getattr(x, "__name__", None))
def test_variants_with_a_number_are_named_with_it_and_others_are_far(code, label):
    report = identify(code, steps=(1, 2))
    assert report.status == "named" and report.best.label.split(", solved to ")[0] == label
    assert report.best.residual < 1e-12 and not report.faults
    assert ("stopped at a residual of" in str(report.alike)) == ("stopped after" in label)
    same = {report.best.label, *report.alike}
    assert report.candidates[~report.candidates["candidate"].isin(same)]["residual"].min() > 1e-3
    assert (report.differs_from("imaml(lambda=2)") == "") == (label == "imaml(lambda = 2)")
    assert (report.differs_from("hf-maml(delta=0.25)") == "") == label.startswith("hf-maml")


@pytest.mark.parametrize(
    ("code", "solve"),
    [
        (planted.two_conjugate_gradients, planted.conjugate_gradients(2)),
        (planted.rough_conjugate_gradients, planted.conjugate_gradients(9, 1e-2)),
    ],
)
def test_how_far_a_solver_got_is_its_largest_relative_residual(code, solve):
    """Derived: ||A x - b||/||b|| of the planted solver on every task asked, A and b by complex steps."""
    left = []
    for probe in make_probes((1, 2), (1 / 8, 1 / 16)).probes:
        for task in probe.tasks:
            matrix, right = planted.imaml_system(loss, probe.w, task, 2.0)
            left.append(np.linalg.norm(matrix @ solve(matrix, right) - right) / np.linalg.norm(right))
    best = identify(code, steps=(1, 2)).best
    assert best.unsolved == pytest.approx(max(left), rel=1e-6)
    assert best.label.endswith(f", solved to {max(left):.0e}".replace("e-0", "e-"))


def test_a_factor_with_an_everyday_cause_is_noted():
    notes = identify(planted.rows_summed, steps=(1, 2)).notes
    assert [note.split(" gets if ")[0] for note in notes] == [
        "a factor of 4 is what the outer loss",
        "a factor of 4 is what the inner loss",
    ]


def test_clipping_is_a_fault_with_its_size():
    report = identify(planted.clipped)
    assert report.name == "maml" and "norm 25" in report.faults[0] and report.differs_from("maml")
    report = identify(planted.normalised, steps=(1, 2))
    assert report.name == "maml" and report.faults == ("every answer has norm 1: normalised",)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_state_between_calls_is_a_fault_with_its_share(share):
    report = identify(planted.stale(share), steps=(1, 2))
    assert report.name == "maml" and report.best.residual < 1e-12
    assert f"holds {share:g} times the answer before" in report.verdict
    assert ("not zeroed" in report.verdict) == (share == 1)
    assert report.differs_from("maml") == report.faults[0] and "maml" in report.candidates["candidate"][0]


def test_answers_drawn_at_random_are_a_fault():
    rng = np.random.Generator(np.random.Philox(1))
    report = identify(lambda *given: planted.fo_maml(*given) * (1 + 0.01 * rng.standard_normal(DIM)), steps=(1, 2))
    assert report.status == "none" and "draws at random" in report.verdict


def _hangs(loss, w, tasks, alpha, steps):
    while True:
        pass


def _third_step_fails(loss, w, tasks, alpha, steps):
    if steps == 3:
        raise RuntimeError("graph freed")
    return planted.fo_maml(loss, w, tasks, alpha, steps)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (lambda *_: None, "returns None"),
        (lambda *_: np.ones(DIM) * 1j, "no array of real numbers"),
        (lambda *_: exit(1), "raises SystemExit"),
        (lambda *_: np.full(DIM, np.nan, np.float32), "not finite"),
        (lambda *_: np.ones(3), "shape (3,)"),
        (lambda *_: "gradient", "no array of real numbers"),
        (lambda *_: {}["w"], "raises KeyError"),
        (_hangs, "did not return within 0.2 s"),
    ],
)
def test_no_meta_gradient_is_said_in_one_sentence_with_the_probe(code, words):
    report = identify(code, timeout=0.2)
    assert report.status == "none" and report.best is None and len(report.faults) == 1
    assert words in report.verdict and FIRST in report.verdict and "\n" not in report.verdict


def test_a_failure_at_one_k_is_a_fault_of_a_named_algorithm():
    report = identify(_third_step_fails)
    assert report.name == "fo-maml" and "raises RuntimeError: graph freed at k = 3" in report.verdict
    assert report.differs_from("fo-maml")


def test_a_changed_input_is_a_fault_of_a_named_algorithm():
    report = identify(planted.in_place, steps=(1, 2))
    assert report.name == "maml" and report.faults == (f"it changes w, which it was given (first at probe: {FIRST})",)


def test_zero_is_named_as_such():
    report = identify(lambda loss, w, *_: 0 * w)
    assert (report.status, report.name, report.faults) == ("named", "zero", ())
    assert report.verdict == "zero: it returns 0 whatever it is asked"
    assert report.differs_from("zero") == "" and report.differs_from("maml")
    half = identify(lambda loss, w, tasks, alpha, k: planted.fo_maml(loss, w, tasks, alpha, k) * (k < 2), steps=(1, 2))
    assert half.name != "zero" and "returns 0 at k = 2" in half.verdict


def test_a_fault_is_printed_once():
    report = identify(_third_step_fails)
    assert str(report).count("graph freed") == 1


def test_python_that_hangs_is_interrupted_in_any_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(identify(_hangs, timeout=0.2)), daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert found and "did not return within 0.2 s" in found[0].verdict


def _hangs_in_c(loss, w, tasks, alpha, steps):
    collections.deque(itertools.repeat(0), maxlen=0)


def _dies(loss, w, tasks, alpha, steps):
    os._exit(7)


def test_isolated_code_may_hang_in_c_or_crash_and_keeps_its_state():
    start = time.monotonic()
    assert "nor could it be interrupted" in identify(_hangs_in_c, timeout=0.2, isolated=True).verdict
    assert time.monotonic() - start < 50
    assert "dies with exit code 7" in identify(_dies, isolated=True).verdict
    assert "holds 0.5 times the answer before" in identify(planted.stale(), steps=(1, 2), isolated=True).verdict
    assert identify(planted.fo_maml, isolated=True).differs_from("fo-maml") == ""


def test_one_step_alone_leaves_reptile_undecided():
    report = identify(planted.reptile, steps=(1,))
    assert report.status == "undecided" and {report.best.candidate.name, *report.alike} >= {"reptile"}


def test_single_precision_gets_the_same_names_and_says_what_it_cannot_tell():
    def single(loss, w, tasks, alpha, steps):
        rows = [tuple(data.astype(float) for data in task) for task in tasks]
        return planted.single_inside(loss, w.astype(float), rows, alpha, steps).astype(np.float32)

    report = identify(single, dtype="float32")
    assert report.name == "maml" and report.alike[-1].startswith("hf-maml(delta < ")
    assert report.verdict.startswith("maml or hf-maml(delta < ")
    leak = identify(lambda *given: single(*given))
    assert leak.name == "maml" and leak.notes == ("it was given float64 and returns float32",)
    inside = identify(planted.single_inside)
    assert inside.name == "maml" and "rounding of single precision" in inside.notes[0]
    assert inside.alike[-1].startswith("hf-maml(delta < ")


def test_nan_in_single_precision_is_seen_there_alone():
    assert identify(planted.nan_in_single, steps=(1, 2)).differs_from("maml") == ""
    report = identify(planted.nan_in_single, steps=(1, 2), dtype="float32")
    assert report.verdict.startswith("no meta-gradient: it returns numbers that are not finite")


@pytest.mark.parametrize("delta", [1e-2, 1e-4])
def test_a_tiny_delta_is_not_taken_for_maml_in_double_precision(delta):
    report = identify(lambda *given: planted.hf_maml(*given, delta=delta), steps=(1, 2))
    assert report.name == "hf-maml" and report.best.number == pytest.approx(delta, rel=1e-2)


@pytest.mark.parametrize("steps", [(1,), (1, 2), (1, 2, 3)])
@pytest.mark.parametrize("candidate", [c for c in candidates(1) if c.name == "hf-maml"], ids=lambda c: c.label(0))
def test_a_delta_of_a_twentieth_is_far_from_maml(candidate, steps):
    batch = make_probes(steps, (1 / 8, 1 / 16))
    rows = range(len(batch.probes) - 1)
    answers = candidate.direction(batch, np.array([0.05]))[0, rows]
    simple = [each for each in candidates(max(steps)) if each.name in ("maml", "fo-maml") and not each.free]
    assert min(Matcher(batch, rows, answers).fit(each).residual for each in simple) > 4e-3


def test_a_hundred_perturbations_are_never_named():
    """Answers of a candidate changed by one part in a thousand: at random, by weight decay, a mix, a drift."""
    rng = np.random.Generator(np.random.Philox(5))
    for trial in range(100):
        chosen = SIMPLE[trial % len(SIMPLE)], SIMPLE[rng.integers(len(SIMPLE))]
        exact, other = (candidate.direction(BATCH, np.ones(1))[0, ROWS] for candidate in chosen)
        points = np.array([BATCH.probes[row].w for row in ROWS])
        noise = (rng.standard_normal(exact.shape), points, other[:, ::-1], np.ones_like(exact))[trial % 4]
        size = np.linalg.norm(exact, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        matcher = Matcher(BATCH, ROWS, exact + 1e-3 * size * noise)
        assert min(matcher.fit(candidate).residual for candidate in candidates(3)) > 1e-5


def test_candidates_without_a_number_are_far_apart_under_every_scale_law():
    directions = np.array([candidate.direction(BATCH, np.ones(1))[0, ROWS] for candidate in SIMPLE])
    for i, own in enumerate(directions):
        residuals = [Matcher(BATCH, ROWS, own).fit(candidate).residual for candidate in SIMPLE]
        assert residuals.pop(i) < 1e-12 and min(residuals) > 1e-3, SIMPLE[i].label(1)


@pytest.mark.parametrize("candidate", [c for c in candidates(3) if c.free], ids=lambda c: c.label(0))
def test_every_number_is_found(candidate):
    number = {"lambda": 2.0, "delta": 0.3, "alpha factor": 0.7, "alpha": 0.05}[candidate.free]
    matcher = Matcher(BATCH, ROWS, candidate.direction(BATCH, np.array([number]))[0, ROWS])
    fit = matcher.fit(candidate)
    assert fit.residual < 1e-12 and fit.number == pytest.approx(number, rel=1e-9)
    assert min(matcher.fit(simple).residual for simple in SIMPLE) > 1e-3


def test_every_candidate_has_a_name_that_can_be_expected():
    assert {candidate.name for candidate in candidates(3)} == set(NAMES)


def test_an_outer_step_is_examined_through_its_learning_rate():
    def step(loss, w, tasks, alpha, steps):
        return w - 0.25 * planted.maml(loss, w, tasks, alpha, steps)

    assert identify(adapters.from_step(step, 0.25)).differs_from("maml") == ""
    with pytest.raises(ValueError, match="lr must be positive"):
        adapters.from_step(step, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": ()}, "steps must be"),
        ({"steps": (0,)}, "steps must be"),
        ({"dtype": "float16"}, "dtype must be one of"),
        ({"fixed": {"lr": 1}}, "fixed may name alpha and steps"),
        ({"fixed": {"alpha": 2.0}}, "alpha must lie between"),
        ({"timeout": 0}, "timeout must be positive"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        identify(planted.maml, **options)
    with pytest.raises(TypeError, match="must be a function"):
        identify(3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expect must look like"),
        ("imaml(2", "expect must look like"),
        ("imaml(lambda=x)", "expect must look like"),
        ("mamll", "expect must name one of maml, fo-maml"),
        ("imaml(delta=2)", "imaml has no delta to expect, only lambda"),
        ("maml(delta=2)", "maml has no delta to expect"),
    ],
)
def test_a_garbled_expectation_is_refused(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        identify(planted.fo_maml, steps=(1,)).differs_from(text)
