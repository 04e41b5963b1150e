"""The array engine is the Numba engine to rounding, on the same addresses, for every method, family, noise and step."""

import dataclasses
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal

from simulations import Experiment, blocks, engine_array, families, run
from simulations.fused import Fused, Untraceable, formula
from simulations.kernels import ADDRESS, MATRIX, PICKS, VECTOR, Address, Law, compiled, inlined, on_arrays
from simulations.kernels import types as kinds
from simulations.methods import METHODS
from simulations.philox import INNER, add_normals, draw_tasks, normal_pair
from tests import card

NOISE = {"L": 1.5, "rho": 0.8, "sigma": 0.5, "sigma_tilde": 0.4, "sigma_H": 0.7}
FAMILIES = {
    "cosine": lambda: families.cosine(dim=3, tasks=5, **NOISE, seed=4),
    "ramp": lambda: families.resisting_ramp(eps=0.3, slope_factor=1.1, Delta=0.5, **NOISE),
    "welsch": lambda: families.welsch(dim=3, tasks=5, **NOISE, seed=4),
    "rotated": lambda: families.rotated(dim=3, tasks=5, **NOISE, seed=4),
}
STEPS = {
    "sampled": {"step": "published", "B_step": 3, "D_step": 2},
    "exact": {"step": "exact"},
    "sharp": {"step": "sharp"},
    "callable": {"step": lambda k: 0.3 / (1 + k)},
}


def _both(**asked):
    return (run(Experiment(**asked, engine=name)) for name in ("cpu", "numpy"))


def _assert_agree(one, other):
    for name in ("frame", "mean", "replicates"):
        assert_frame_equal(getattr(one, name), getattr(other, name), rtol=1e-11, atol=1e-13)
    for name in ("first_passage", "mean_passage"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_allclose(one.state.points, other.state.points, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("B", [None, 4, 7])
@pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_engines_agree_to_rounding(method, build, B):
    """Every table and the last point, with every source of noise."""
    step = {"step": 0.05} if METHODS[method].smoothness is None else STEPS["sampled"]
    batches = {"B": B, "D_in": 2, "D_o": 3, "D_h": 2, **step}
    asked = {"family": build(), "alpha": "1/6", "method": method, "iterations": 20, "replicates": 3, "seed": 2**40 + 3}
    cpu, arrays = _both(**asked, **batches, eps=(4.0, 1.0))
    _assert_agree(cpu, arrays)
    curves = cpu.frame.pivot(index="iteration", columns="replicate", values="grad_norm")
    assert (curves.nunique(axis=1)[1:] == 3).all()


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("exact", [True, False])
def test_step_rules_and_exact_oracles_agree(step, exact):
    """The full batch with exact oracles takes its norm for its update, in both engines."""
    batches = {} if exact else {"D_in": 2, "D_o": 2, "D_h": 1}
    asked = {"family": FAMILIES["cosine"](), "alpha": "1/6", "iterations": 30, "replicates": 2, "record_every": 4}
    _assert_agree(*_both(**asked, **batches, **step))


def test_results_do_not_depend_on_the_blocks_of_replicates(monkeypatch):
    """Blocks of one replicate and of all: the same bits."""
    asked = Experiment(
        FAMILIES["cosine"](), "1/6", B=4, D_in=2, D_o=2, D_h=1, step=0.2, iterations=9, replicates=5, engine="numpy"
    )
    whole = run(asked)
    monkeypatch.setattr(engine_array, "_MEMORY", {"numpy": 1})
    assert_array_equal(run(asked).state.points, whole.state.points)


def test_a_run_goes_on_in_the_other_engine_and_divergence_is_the_same():
    """States are of the experiment and not of the engine; lost replicates are lost at the same iteration."""
    asked = {"family": FAMILIES["cosine"](), "alpha": "1/6", "B": 4, "D_in": 2, "D_o": 2, "step": 0.2, "replicates": 3}
    cpu, arrays = (Experiment(**asked, iterations=20, engine=name) for name in ("cpu", "numpy"))
    _assert_agree(run(cpu, state=run(cpu, stop=7).state), run(arrays, state=run(cpu, stop=7).state))
    lost = {**asked, "step": 1e200, "iterations": 12}
    one, other = _both(**lost)
    assert (one.replicates["stop_reason"] == "diverged").all()
    for name in ("stop_reason", "replicate"):
        assert_array_equal(one.replicates[name], other.replicates[name])
    assert np.isposinf(other.mean["grad_norm"].iloc[-1])


@compiled(kinds.void(ADDRESS, MATRIX))
def _normals(address, out):
    out[:] = 0.0
    add_normals(out, 0.7, address)


@compiled(kinds.void(VECTOR, ADDRESS, PICKS))
def _tasks(cumulative, address, picks):
    draw_tasks(Law(cumulative, cumulative, picks), address, picks)


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (1, 1)])
def test_random_numbers_are_the_same(shape):
    """Normals to rounding, tasks exactly, for odd and even counts, large replicates and both words of the seed."""
    replicates = np.array([[0], [3], [2**32 - 1]], dtype=np.uint64)
    address = Address(np.uint64(2**63 + 5), replicates, np.uint64(2**31), INNER)
    arrays, picked = np.zeros((3, *shape)), np.empty((3, shape[1]), np.int64)
    cumulative = np.cumsum([0.1, 0.4, 0.2, 0.3])
    on_arrays(add_normals)(arrays, 0.7, address)
    on_arrays(draw_tasks)(Law(cumulative, cumulative, None), address, picked)
    for r, replicate in enumerate(replicates[:, 0]):
        one, picks = np.empty(shape), np.empty(shape[1], np.int64)
        _normals(address._replace(replicate=replicate), one)
        _tasks(cumulative, address._replace(replicate=replicate), picks)
        assert_allclose(arrays[r], one, rtol=1e-15)
        assert_array_equal(picked[r], picks)


@pytest.fixture
def stand_in(monkeypatch):
    """NumPy in the place of CuPy, but for the kernels, which are compiled from the same lines."""
    return card.installed(monkeypatch)


@pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_what_runs_on_a_gpu_agrees_to_rounding(stand_in, method, build):
    """Everything but the card: traced kernels, broadcasting of addresses, the way there and back."""
    step = {"step": 0.05} if METHODS[method].smoothness is None else STEPS["sampled"]
    asked = {"family": build(), "alpha": "1/6", "method": method, "iterations": 6, "replicates": 3, **step}
    asked |= {"B": 3, "D_in": 2, "D_o": 3, "D_h": 2}
    _assert_agree(*(run(Experiment(**asked, engine=name)) for name in ("cpu", "cupy")))


def test_fused_normals_are_the_same_bits(stand_in):
    """The source of a GPU kernel, compiled as C: Philox, logarithm, sine and all, against the CPU engine's."""
    address = Address(np.uint64(2**63 + 5), np.uint64(2**32 - 1), np.uint64(2**31), INNER)
    indices = np.arange(50, dtype=np.uint64)
    found = Fused(normal_pair, stand_in)(indices, address)
    assert_array_equal(np.transpose(found), [normal_pair(index, address) for index in indices])


@pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("name", ["value", "slope", "curvature"])
def test_fused_formulas_of_families_are_the_same(stand_in, build, name):
    """To rounding: exp and tanh are the C library's here."""
    family = build()
    formula, shared = getattr(family.formula, name), tuple(map(float, family.unturned.shared))
    arguments = np.linspace(-4, 5, 40)[:, None, None], *family.table, shared
    assert_allclose(Fused(formula, stand_in)(*arguments), formula(*arguments), rtol=1e-13, atol=1e-14)


def _choices(x, y):
    kept = np.where(x < y, np.minimum(x, 0.5), -abs(y)) * (y != 0.0) + (x == 0.0)
    return kept + (x <= y) + 2.0 * (x > y) + 4.0 * (x >= y) + np.maximum(x, y) ** 2 + abs(x) ** 1.5


def test_choices_by_arithmetic_are_the_same(stand_in):
    """Comparisons, np.where, extremes and powers, at ties too."""
    x, y = (grid.ravel() for grid in np.meshgrid([-2.0, -0.0, 0.0, 0.3, 2.0], [-2.0, 0.0, 0.3, 1.0]))
    assert_allclose(Fused(inlined(_choices), stand_in)(x, y), _choices(x, y), rtol=1e-15)


def test_what_cannot_be_fused_is_refused():
    """A whole number added to a float would round differently on the GPU; a choice would be made once for all."""
    with pytest.raises(Untraceable, match="a choice that depends on a traced number cannot be fused"):
        formula(inlined(lambda x: x if x > 0.0 else -x), ("d",))
    mixed = inlined(lambda word, x: word + x)
    with pytest.raises(Untraceable, match="of uint64 and float64 cannot be fused"):
        formula(mixed, ("Q", "d"))


def _random(*shape):
    return np.random.Generator(np.random.Philox(5)).standard_normal(shape)


@pytest.mark.parametrize("d", [2, 7, 8, 19])
def test_every_block_and_its_array_form_are_one(d):
    """Each helper of `blocks`: its loop, on a block of four lanes, against its array form on as many replicates."""
    rows, other, scales, w = _random(4, 3, d), _random(4, 3, d) + 1, _random(4, 3), _random(4, d)
    squares, weights, lanes = w**2, np.array([0.2, 0.5, 0.3]), _random(4) + 9
    scales[1, 1] = 0.0
    calls = {
        "norms": (rows, scales),
        "products": (rows, other, scales),
        "divide": (scales + 1, scales, scales.copy()),
        "tile": (w, rows),
        "copy": (rows, other),
        "fill": (0.7, rows),
        "step_back": (rows, 0.3, other),
        "add": (0.3, rows, other),
        "add_product": (rows, other, rows.copy()),
        "add_roots": (squares, w, w.copy()),
        "shift_rows": (rows, -1.0, scales, other, rows.copy()),
        "weighted_sum": (weights, rows, w),
        "weighted_products": (weights, rows, other, w, squares),
        "means": (weights, scales, lanes),
        "one_over": (0.3, 0.2, lanes),
    }
    kernels = {name for name, each in vars(blocks).items() if hasattr(each, "py_func")}
    assert kernels - set(calls) == {"gather", "square", "norm"}
    for name, arguments in calls.items():
        together, block = ([np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2))
        on_arrays(getattr(blocks, name))(*together)
        getattr(blocks, name)(*(_flat(a) for a in block))
        for found, expected in zip(block, together, strict=True):
            assert_allclose(found, expected, rtol=1e-13, err_msg=name)
        assert not np.array_equal(together[-1], arguments[-1]), name
    for vector in rows[0]:
        assert_allclose(
            [blocks.norm(vector), blocks.square(vector)], [np.linalg.norm(vector), vector @ vector], rtol=1e-14
        )
    assert_allclose(on_arrays(blocks.norm)(w) ** 2, on_arrays(blocks.square)(w), rtol=1e-14)


def _flat(argument):
    """A block as the loops see it: replicates and rows are one axis."""
    if isinstance(argument, np.ndarray) and argument.shape[:2] == (4, 3):
        return argument.reshape(12, *argument.shape[2:])
    return argument


def test_an_engine_that_is_not_there_is_one_sentence(monkeypatch):
    """Without CuPy, and without a formula or array forms."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    family = FAMILIES["cosine"]()
    asked = Experiment(family, "1/6", step=0.1, engine="cupy")
    with pytest.raises(ValueError, match="engine 'cupy' needs cupy, which is not installed here") as refusal:
        run(asked)
    assert "\n" not in str(refusal.value)
    with pytest.raises(ValueError, match="cosine tasks run on engine 'cpu' alone: no formula"):
        run(Experiment(dataclasses.replace(family, formula=None), "1/6", step=0.1, engine="numpy"))
