"""Whole iterations as CUDA kernels: what is traced, how it is cut, and that it is NumPy's engine to rounding."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from simulations import Experiment, engine_array, families, run
from simulations.blocks import norms, weighted_sum
from simulations.fused import NAMESPACE, Untraceable, replay, trace
from simulations.fused.lazy import Axis, Block, Lazy, parts
from simulations.fused.schedule import schedule
from simulations.fused.values import value
from simulations.iteration import Ask
from simulations.kernels import SAMPLED_GRADIENTS, callback, on_arrays
from simulations.methods import METHODS
from simulations.noise import GradientNoise
from tests import card

BATCHES = {"B": 4, "D_in": 2, "D_o": 3, "D_h": 2, "seed": 2**40 + 3}
MOVE, ALL = Ask(False, False, True), Ask(True, True, True)


@pytest.fixture
def stand_in(monkeypatch):
    return card.installed(monkeypatch)


def _asked(method, family, engine, **more):
    step = {"step": 0.05} if METHODS[method].smoothness is None else {"B_step": 3, "D_step": 2}
    asked = {"iterations": 5, "replicates": 3, "record_every": 2, "eps": (1.0,), **BATCHES, **step, **more}
    return Experiment(family, "1/6", method=method, engine=engine, **asked)


def _program(method="maml", d=16, ask=MOVE, **more):
    family = families.cosine(d, 5, sigma=0.1)
    plan = _asked(method, family, "cupy", **more).plan()
    return trace.traced(plan, engine_array._kernels(plan, family, NAMESPACE), ask)


@pytest.mark.parametrize("d", [1, 2, 34])
@pytest.mark.parametrize("method", METHODS)
def test_fused_iterations_are_those_of_numpy(stand_in, method, d):
    """Odd and even rows, and rows long enough for sums in parts; B even and B_step odd."""
    family = families.cosine(d, 5, sigma=0.1, seed=2)
    own, fused = (run(_asked(method, family, name)) for name in ("numpy", "cupy"))
    assert_allclose(fused.state.points, own.state.points, rtol=1e-12, atol=1e-13)
    for name in ("grad_norm", "objective", "step"):
        assert_allclose(fused.frame[name], own.frame[name], rtol=1e-12, atol=1e-13, equal_nan=True)


@pytest.mark.parametrize("noise", ["isotropic", "diagonal"])
@pytest.mark.parametrize("B", [None, 3])
def test_fused_noises_and_batches_are_those_of_numpy(stand_in, noise, B):
    """Every Hessian noise that runs on arrays; all tasks, and an odd batch."""
    family = families.cosine(6, 5, sigma=0.1).with_noise(hessian=noise)
    own, fused = (run(_asked("maml", family, name, B=B)) for name in ("numpy", "cupy"))
    assert_allclose(fused.state.points, own.state.points, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("method", [name for name, each in METHODS.items() if each.merged])
def test_merged_draws_are_those_of_numpy(stand_in, method):
    """One vector of outer noise for a batch."""
    family = families.cosine(6, 5, sigma=0.1)
    own, fused = (run(_asked(method, family, name, draws="merged")) for name in ("numpy", "cupy"))
    assert_allclose(fused.state.points, own.state.points, rtol=1e-12, atol=1e-13)


def test_every_method_is_fused_on_separable_tasks(stand_in):
    """Nothing falls back but what is turned."""
    for method in METHODS:
        for name in ("cosine", "welsch", "algebraic_tail", "sinc_stall", "rotated"):
            asked = _asked(method, getattr(families, name)(3, 5, sigma=0.1), "cupy")
            engine = engine_array.engine("cupy", asked.family, asked.plan())
            assert isinstance(engine, replay.Programs) == (name != "rotated"), (method, name)


@callback(SAMPLED_GRADIENTS)
def _clipped(tasks, spread, points, picks, parameters, samples, address, out):
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    out[...] = np.clip(out, -0.5, 0.5)


def test_what_cannot_be_traced_runs_without_being_fused(stand_in):
    """A noise with a function of NumPy that tracing does not know."""
    family = families.cosine(3, 5, sigma=0.1).with_noise(GradientNoise("clipped", _clipped, in_blocks=True))
    asked = {name: _asked("maml", family, name, step=0.1) for name in ("numpy", "cupy")}
    assert not isinstance(engine_array.engine("cupy", asked["cupy"].family, asked["cupy"].plan()), replay.Programs)
    own, unfused = (run(each).state.points for each in asked.values())
    assert_allclose(unfused, own, rtol=1e-12)


def test_blocks_and_chunks_of_fused_iterations_are_the_same_bits(stand_in, monkeypatch):
    """One replicate after another, iteration by iteration."""
    asked = _asked("hf_maml", families.cosine(6, 5, sigma=0.1), "cupy")
    whole = run(asked)
    monkeypatch.setattr(replay, "_MEMORY", 1)
    monkeypatch.setattr(replay, "_WORK", 1)
    split = run(asked)
    assert_array_equal(split.state.points, whole.state.points)
    assert_array_equal(split.frame.to_numpy(), whole.frame.to_numpy())


@pytest.mark.parametrize("name", ["cpu", "numpy", "cupy"])
def test_a_replicate_lost_at_its_start_stays_there(stand_in, name):
    """Where ||grad F|| overflows at iteration 0, no step is taken."""
    family = replace(families.quadratic(dim=2, tasks=3), start=np.array([1e200, 1.0]))
    found = run(_asked("maml", family, name, step=0.1, iterations=3))
    assert_array_equal(found.state.points, np.tile(family.start, (len(found.state.points), 1)))
    assert (found.replicates["stop_reason"] == "diverged").all()


def test_lost_replicates_are_lost_at_the_same_iteration(stand_in):
    """And stand still."""
    own, fused = (
        run(_asked("maml", families.cosine(4, 5, sigma=0.1), name, step=1e200, iterations=8))
        for name in ("numpy", "cupy")
    )
    assert_array_equal(own.state.diverged, fused.state.diverged)
    assert (fused.state.diverged >= 0).all()
    assert_allclose(own.state.points, fused.state.points, rtol=1e-13)


def test_a_direction_is_one_kernel():
    """MAML's sum over tasks with all its draws; conjugate gradients keep blocks, MAML none."""
    made = _program()
    rows = [source for source in made.sources if "i_B = 0" in source.text]
    assert len(rows) == 1 and len(made.sources) <= 8
    assert made.bytes < 8 * 4 * 16
    assert len({source.text for source in _program("imaml", step=0.1).sources}) <= 12


def test_numbers_of_an_experiment_are_arguments():
    """Another step, alpha's batch sizes and seed give the same kernels: nothing is compiled again."""
    one, other = _program(D_in=2, seed=3), _program(D_in=7, seed=4)
    assert [source.text for source in one.sources] == [source.text for source in other.sources]
    assert [source.arguments for source in one.sources] != [source.arguments for source in other.sources]


@pytest.mark.parametrize("method", ["hf_maml", "imaml"])
def test_kept_values_share_memory_once_they_are_read(method):
    """What a kernel reads is what was last written there, and there are fewer pools than values."""
    made, held = _program(method, ask=ALL, step=0.1), {}
    for kernel in made.kernels:
        for v in kernel.loads - set(made.names):
            assert held[made.places[v]] is v
        held |= {made.places[v]: v for v in (*kernel.sums, *kernel.stores) if v not in made.names}
    assert len(made.pools) < len(made.places)


def test_sums_in_parts_depend_on_the_length_alone():
    """And never have more parts than pairs."""
    assert [parts(d) for d in (1, 2, 16, 128, 1024, 10**6)] == [1, 1, 1, 8, 32, 32]


R, ROWS, D = Axis(1, "r"), Axis(3, "B"), Axis(2, "j")


def _array(name, *axes):
    return Lazy(value("load", (), name, "d", frozenset(axis.name for axis in axes)), axes)


def test_what_arrays_under_trace_refuse():
    """Each by `Untraceable`, which is what makes the engine fall back."""
    block, row = _array("a", R, ROWS, D), _array("b", R, ROWS)
    for wrong in (
        lambda: bool(row > 0.0),
        lambda: float(row),
        lambda: row & row,
        lambda: block + row,
        lambda: block.ravel(),
        lambda: block[0],
        lambda: NAMESPACE.cumsum(row),
        lambda: Block((R, D)) + 1.0,
        lambda: row + np.ones(3),
        lambda: Block((R, ROWS)).__setitem__(0, 1.0),
    ):
        with pytest.raises(Untraceable):
            wrong()
    with pytest.raises(ValueError, match="does not fit"):
        Block((D,))[...] = block


def test_equal_values_are_one():
    """However often they are written down."""
    one, other = _array("a", R, D), _array("a", R, D)
    assert (one * 2.0 + other).value is (other * 2.0 + one).value
    assert (0.0 + one).value is one.value


def test_a_sum_ends_a_kernel_and_what_is_dear_is_kept():
    """Norms of rows, then the rows over their norms summed: the rows are found once, if that costs enough."""
    for dear, stores in ((False, 1), (True, 2)):
        rows, lengths, out = _array("a", R, ROWS, D) * 2.0, Block((R, ROWS)), NAMESPACE.zeros((R, D))
        rows = NAMESPACE.exp(NAMESPACE.tanh(rows)) if dear else rows
        on_arrays(norms, NAMESPACE)(rows, lengths)
        on_arrays(weighted_sum, NAMESPACE)(_array("w", ROWS), rows / lengths[..., None], out)
        found = schedule([out.value])
        assert [(kernel.space, kernel.loop) for kernel in found] == [
            (("r", "B", "part"), "j"),
            (("r", "B"), None),
            (("r", "j"), "B"),
        ]
        assert sum(len(kernel.stores) for kernel in found) == stores


@pytest.mark.skipif(not shutil.which("nvcc"), reason="needs CUDA's compiler")
def test_the_kernel_of_a_direction_compiles_for_a_gpu(tmp_path):
    """Without spills."""
    source = next(each for each in _program(d=128).sources if "i_B = 0" in each.text)
    (tmp_path / "k.cu").write_text(source.text)
    command = ["nvcc", "-cubin", "-arch=sm_90", "--fmad=false", "-Xptxas", "-v", "-o", "k.cubin", "k.cu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "0 bytes spill stores" in done.stderr
