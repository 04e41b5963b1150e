"""identify: planted variants are named, wrong candidates stay far, and nothing is named that is none of them."""

import numpy as np
import planted
import pytest

from simulations import identify
from simulations.identification import DIM, adapters, loss
from simulations.identification.candidates import candidates
from simulations.identification.fit import Matcher
from simulations.identification.probes import make_probes
from simulations.identification.quartic import Quartic

PROBES = make_probes((1, 2), (1 / 8,))
NAMED = [
    (planted.maml, "maml", (), "1"),
    (planted.fo_maml, "fo-maml", (), "1"),
    (planted.summed, "maml", (), "n"),
    (planted.one_step_always, "maml", ("1 inner step whatever k",), "1"),
    (planted.wrong_iterate, "maml", ("one inner step fewer than k",), "1"),
    (planted.support_outside, "maml", ("support data in the outer loss",), "1"),
    (planted.last_step_only, "maml", ("differentiated through the last 1 inner step only",), "1"),
    (planted.uphill, "maml", (), "-1"),
    (planted.reptile, "reptile", (), "alpha"),
]
FREE = [
    (planted.imaml, 2.0, ()),
    (planted.halved_lambda, 1.0, ()),
    (planted.no_proximal_term, 2.0, ("plain inner solution by k gradient steps",)),
    (planted.two_conjugate_gradients, 2.0, ("conjugate gradients stopped after 2",)),
]


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
    for probe in make_probes((1, 2, 3), (1 / 8, 1 / 16)):
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


@pytest.mark.parametrize(("code", "number", "traits"), FREE, ids=lambda x: getattr(x, "__name__", None))
def test_implicit_variants_are_named_with_their_lambda(code, number, traits):
    report = identify(code, steps=(1, 2))
    assert (report.status, report.name, report.best.candidate.traits) == ("named", "imaml", traits)
    assert report.best.number == pytest.approx(number, rel=1e-7)
    assert (
        report.differs_from("imaml(lambda=2)") == ""
        if (number, traits) == (2.0, ())
        else report.differs_from("imaml(lambda=2)")
    )


def test_a_delta_for_each_tensor_is_told_from_one_delta():
    report = identify(planted.delta_per_tensor, steps=(1,))
    assert report.best.candidate.name == "hf-maml" and report.best.residual < 1e-6
    assert report.best.candidate.traits == ("a delta of its own for w[:2] and w[2:]",)
    assert report.best.number == pytest.approx(0.1, rel=1e-6)


def test_clipping_and_state_are_faults_with_their_size():
    report = identify(planted.clipped)
    assert report.name == "maml" and "norm 25" in report.faults[0] and report.differs_from("maml")
    report = identify(planted.stale(), steps=(1, 2))
    assert report.status == "none" and "keeps state" in report.faults[0]


def _hangs(loss, w, tasks, alpha, steps):
    while True:
        pass


def _mutates(loss, w, tasks, alpha, steps):
    w -= alpha
    return w


def _third_step_fails(loss, w, tasks, alpha, steps):
    if steps == 3:
        raise RuntimeError("graph freed")
    return planted.fo_maml(loss, w, tasks, alpha, steps)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (lambda *_: None, "returns None"),
        (lambda *_: np.zeros(DIM), "returns zero"),
        (lambda *_: np.full(DIM, np.nan, np.float32), "not finite"),
        (lambda *_: np.ones(3), "shape (3,)"),
        (lambda *_: "gradient", "no array of numbers"),
        (lambda *_: {}["w"], "raises KeyError"),
        (_mutates, "changes w"),
        (_hangs, "did not return within 0.2 s"),
    ],
)
def test_no_meta_gradient_is_said_in_one_sentence_with_the_probe(code, words):
    report = identify(code, timeout=0.2)
    assert report.status == "none" and report.best is None and len(report.faults) == 1
    assert words in report.verdict and PROBES[0].name in report.verdict and "\n" not in report.verdict


def test_a_failure_at_one_k_is_a_fault_of_a_named_algorithm():
    report = identify(_third_step_fails)
    assert report.name == "fo-maml" and "raises RuntimeError: graph freed at k = 3" in report.verdict
    assert report.differs_from("fo-maml")


def test_one_step_alone_leaves_reptile_undecided():
    report = identify(planted.reptile, steps=(1,))
    assert report.status == "undecided" and {report.best.candidate.name, *report.alike} >= {"reptile"}


def test_single_precision_gets_the_same_names_and_says_what_it_cannot_tell():
    def single(loss, w, tasks, alpha, steps):
        rows = [tuple(data.astype(float) for data in task) for task in tasks]
        rounded = planted.maml(loss, w.astype(float), rows, alpha, steps) * (1 + 1e-7 * np.array([1, -1, 1, -1]))
        return rounded.astype(np.float32)

    report = identify(single, dtype="float32")
    assert report.name == "maml" and report.alike[-1].startswith("hf-maml(delta < ")
    leak = identify(lambda *given: single(*given))
    assert leak.name == "maml" and leak.notes == ("it was given float64 and returns float32",)


def test_a_hundred_perturbations_are_never_named():
    """Answers of a candidate with one part in a thousand replaced at random, another part at every probe."""
    rng = np.random.Generator(np.random.Philox(5))
    probes = [probe for probe in make_probes((1, 2, 3), (1 / 8, 1 / 16)) if not probe.large]
    simple = [candidate for candidate in candidates(3) if not candidate.free]
    with_number = [candidate for candidate in candidates(3) if candidate.free]
    for trial in range(100):
        exact = np.array([simple[trial % len(simple)].direction(probe, 0.0) for probe in probes])
        noise = rng.standard_normal(exact.shape)
        size = np.linalg.norm(exact, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        matcher = Matcher(probes, exact + 1e-3 * size * noise)
        tried = [*simple, *with_number[trial % 24 :: 24]]
        assert min(matcher.fit(candidate).residual for candidate in tried) > 1e-5


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


@pytest.mark.parametrize("text", ["", "imaml(2", "imaml(lambda=x)"])
def test_a_garbled_expectation_is_refused(text):
    with pytest.raises(ValueError, match="expect must look like"):
        identify(planted.fo_maml, steps=(1,)).differs_from(text)
