"""Regression on grouped data: constants against box suprema and search, the oracle against plain loops, exact moments
against enumeration and the engine, and restatements that must change nothing."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import reference
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulations import Experiment, engine_cpu, exact, families
from simulations.families import _robust
from simulations.families._rows import unpacked
from simulations.families.regression import example
from simulations.kernels import MATRIX, ORACLE, PICKS, REAL, TABLE, WORD, Address, compiled, types
from simulations.philox import HESSIAN, INNER, at

DELTA = 1e-9
ROUNDING, REACHED = 1e-9, 1e-6
NAMES = ("L", "rho", "sigma", "sigma_tilde", "sigma_H")
LOSSES = {
    "welsch": (
        lambda t: 1 - math.exp(-t * t / 2),
        lambda t: t * math.exp(-t * t / 2),
        lambda t: (1 - t * t) * math.exp(-t * t / 2),
    ),
    "geman-mcclure": (
        lambda t: t * t / (2 + 2 * t * t),
        lambda t: t / (1 + t * t) ** 2,
        lambda t: (1 - 3 * t * t) / (1 + t * t) ** 3,
    ),
}


def _frame(sizes=(3, 4, 2), features=2, seed=0, noise=1.0):
    generator = np.random.Generator(np.random.Philox(seed))
    names = np.repeat([f"task {i}" for i in range(len(sizes))], sizes)
    frame = pd.DataFrame(generator.standard_normal((names.size, features)), columns=[f"x{j}" for j in range(features)])
    return frame.assign(y=frame.sum(axis=1) + noise * generator.standard_t(2, names.size), task=names)


def _build(frame=None, **options):
    return families.regression(_frame() if frame is None else frame, target="y", task="task", **options)


def _points(family, count, seed=0):
    return np.random.Generator(np.random.Philox(seed)).standard_normal((count, family.dim))


def _above(function, end, bound, cells=20_000):
    """Whether |function| stays below the bound on [0, end], by Arb balls on cells."""
    edges = [end * k / cells for k in range(cells + 1)]
    return all(abs(function(arb(left).union(arb(right)))) < bound for left, right in itertools.pairwise(edges))


@pytest.mark.parametrize("loss", LOSSES)
def test_ranges_of_the_loss_hold_on_the_whole_line(loss):
    """max|psi'|, the range of psi'' and max|psi'''| by Arb balls: never exceeded by a thousandth, reached at a point.

    With t = tan(angle) the derivatives of Geman and McClure's loss are polynomials in sine and cosine on [0, pi/2].
    Those of Welsch's are at most (t^3 + 3 t) exp(-t^2/2), which falls beyond t = 9, where it is below 1e-14.
    """
    slope, lowest, highest, third = map(float, _robust.ranges(_robust.LOSSES[loss]))
    if loss == "welsch":
        end, bell = 9, lambda t: (-t * t / 2).exp()
        forms = (lambda t: t * bell(t), lambda t: (1 - t * t) * bell(t), lambda t: (t**3 - 3 * t) * bell(t))
        points = (1.0, math.sqrt(3), 0.0, math.sqrt(3 - math.sqrt(6)))
    else:
        end = arb.pi() / 2
        forms = (
            lambda t: t.sin() * t.cos() ** 3,
            lambda t: t.cos() ** 4 * (4 * t.cos() ** 2 - 3),
            lambda t: 12 * t.sin() * t.cos() ** 5 * (t.sin() ** 2 - t.cos() ** 2),
        )
        points = tuple(map(math.atan, (1 / math.sqrt(3), 1.0, 0.0, math.sqrt(1 - 2 / math.sqrt(5)))))
    centre, half = (highest + lowest) / 2, (highest - lowest) / 2
    for form, bound in ((forms[0], slope), (lambda t: forms[1](t) - centre, half), (forms[2], third)):
        assert _above(form, end, 1.001 * bound) and not _above(form, end, 0.999 * bound)
    reached = [abs(float(form(arb(t)))) for form, t in zip((forms[0], *forms[1:2] * 2, forms[2]), points, strict=True)]
    assert_allclose(reached, [slope, -lowest, highest, third], rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_tasks_are_what_the_frame_says(loss):
    """Values, gradients and Hessian products from the frame by plain loops, group by group, standardised by pandas."""
    frame, scale = _frame().sample(frac=1, random_state=np.random.Generator(np.random.Philox(5))), 0.6
    family = _build(frame, loss=loss, scale=scale)
    plain = frame.drop(columns="task")
    plain = (plain - plain.mean()) / plain.std(ddof=0)
    psi, first, second = LOSSES[loss]
    v = _points(family, 1, seed=3)[0]
    for w in _points(family, 4):
        found = family.values(w), family.gradients(w), family.hessian_vector_products(w, v)
        for i, name in enumerate(frame["task"].unique()):
            group = plain[frame["task"] == name]
            value, gradient, product = 0.0, np.zeros(3), np.zeros(3)
            for x0, x1, y in group[["x0", "x1", "y"]].to_numpy():
                x = np.array([1.0, x0, x1])
                t = (x @ w - y) / scale
                value += scale**2 * psi(t) / len(group)
                gradient += scale * first(t) * x / len(group)
                product += second(t) * (x @ v) * x / len(group)
            assert_allclose(found[0][i], value, rtol=1e-12)
            assert_allclose(found[1][i], gradient, rtol=1e-11, atol=1e-15)
            assert_allclose(found[2][i], product, rtol=1e-11, atol=1e-15)


def test_a_large_scale_leaves_least_squares():
    """At scale 1e4 f_i is half the mean squared residual to 1e-7, and its Hessian is X^T X/n."""
    family = _build(scale=1e4)
    for w in _points(family, 3):
        for task, value, product in zip(
            unpacked(family), family.values(w), family.hessian_vector_products(w, w), strict=True
        ):
            assert math.isclose(value, ((task.X @ w - task.y) ** 2).mean() / 2, rel_tol=1e-6)
            assert_allclose(product, task.X.T @ (task.X @ w) / len(task.y), rtol=1e-6)


def test_options_reach_the_tasks():
    """Features in the order asked, no intercept, raw numbers, a start, and the laws of the tasks."""
    frame = _frame()
    family = _build(frame, features=["x1"], standardise=False, intercept=False, probabilities="rows", start=[0.25])
    assert family.start.tolist() == [0.25] and family.probabilities.tolist() == [3 / 9, 4 / 9, 2 / 9]
    for task, (_, group) in zip(unpacked(family), frame.groupby("task"), strict=True):
        assert (np.column_stack([task.X, task.y]) == group[["x1", "y"]].to_numpy()).all()
    assert _build(frame).probabilities.tolist() == [1 / 3] * 3 and not _build(frame).start.any()
    with pytest.raises(ValueError, match=r"w must have shape \(3,\) for this regression family, got \(1,\)"):
        _build(frame, start=[0.0])


def _cube(n, lowest, highest):
    return np.array(list(itertools.product((lowest, highest), repeat=n)))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    sizes=st.lists(st.integers(2, 4), min_size=1, max_size=3),
    features=st.integers(1, 3),
    loss=st.sampled_from(sorted(LOSSES)),
    law=st.sampled_from(["uniform", "rows"]),
    scale=st.floats(-2, 2).map(lambda power: 10.0**power),
    seed=st.integers(0, 1000),
)
def test_constants_hold_for_any_residuals(sizes, features, loss, law, scale, seed):
    """The constants bound the largest values over all choices of psi', psi'', psi''' in their ranges, row by row.

    Those are at least what any w can do. What is maximised is convex in psi', psi'' or psi''', so the vertices of the
    cube suffice; directions v are those of an eigenvector, or a sample.
    """
    family = _build(_frame(sizes, features, seed), loss=loss, scale=scale, probabilities=law)
    slope, lowest, highest, third = map(float, _robust.ranges(_robust.LOSSES[loss]))
    V = _points(family, 200, seed)
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    seen, strong, steps = dict.fromkeys(NAMES, 0.0), 0.0, []
    for task in unpacked(family):
        n, squares = len(task.y), (task.X**2).sum(axis=1)
        bends, slopes, thirds = (_cube(n, *ends) for ends in ((lowest, highest), (-slope, slope), (-third, third)))
        H, g = task.mean_outer(bends), scale * slopes @ task.X / n
        N = task.mean_outer(bends**2 * squares) - H @ H
        frobenius = bends**2 @ squares**2 / n - (H**2).sum(axis=(1, 2))
        seen["L"] = max(seen["L"], np.abs(np.linalg.eigvalsh(H)).max())
        seen["rho"] = max(seen["rho"], (thirds @ (task.X @ V.T) ** 3).max() / n / scale)
        spread = scale**2 * slopes**2 @ squares / n - (g**2).sum(axis=1)
        seen["sigma_tilde"] = max(seen["sigma_tilde"], math.sqrt(spread.max()))
        seen["sigma_H"] = max(seen["sigma_H"], math.sqrt(max(0, np.linalg.eigvalsh(N).max())))
        strong = max(strong, math.sqrt(max(0, frobenius.max())))
        steps.append(g)
    each = np.array([[g[k] for g, k in zip(steps, choice, strict=True)] for choice in _choices(steps)])
    mean = np.tensordot(family.probabilities, each, (0, 1))
    spread = ((each - mean[:, None]) ** 2).sum(axis=2) @ family.probabilities
    seen["sigma"] = math.sqrt(spread.max())
    for name in NAMES:
        assert seen[name] <= float(getattr(family.constants, name)) * (1 + ROUNDING) + 1e-12 * scale
    weak = family.constants.sigma_H
    declared = family.noise.hessian.strong(family.dim, 1.0)
    assert declared.standing == "bound" and strong <= weak * math.sqrt(declared.value) * (1 + ROUNDING)
    assert family.noise.hessian.strong(family.dim, 4.0).value == declared.value / 4


def _choices(steps, most=4096):
    """Which vertex each task takes: all choices, or as many drawn."""
    if math.prod(map(len, steps)) <= most:
        return itertools.product(*(range(len(g)) for g in steps))
    generator = np.random.Generator(np.random.Philox(0))
    return np.column_stack([generator.integers(len(g), size=most) for g in steps])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_search_stays_below_the_constants_and_comes_near(loss, scale):
    """A search over w exceeds none of the constants and comes within a factor of 0.7, of 0.4 for sigma."""
    family = _build(_frame((6, 9, 7, 8), noise=0.3), loss=loss, scale=scale)
    ratio = {name: family.seen[name] / float(getattr(family.constants, name)) for name in NAMES}
    assert all(value <= 1 + ROUNDING for value in ratio.values()), ratio
    assert all(value >= (0.4 if name == "sigma" else 0.7) for name, value in ratio.items()), ratio


@pytest.mark.parametrize("loss", LOSSES)
def test_L_is_attained_exactly_where_a_widest_task_can_be_fitted(loss):
    """Three rows for three coordinates are fitted, and the search reaches L there; one row more, and L is safe."""
    family = _build(_frame((3, 3)), loss=loss)
    assert family.standing["L"] == "attained" and family.standing["rho"] == "safe"
    assert 1 - REACHED <= family.seen["L"] / family.constants.L <= 1 + ROUNDING
    assert _build(_frame((4, 4)), loss=loss).standing["L"] == "safe"
    line = _frame((5, 5))
    assert _build(line.assign(y=2 * line["x0"] - line["x1"]), loss=loss).standing["L"] == "attained"


def test_a_single_task_has_no_task_variance():
    """sigma = 0, attained."""
    family = _build(_frame((5,)))
    assert family.constants.sigma == 0 and family.standing["sigma"] == "attained"


def test_the_gap_is_that_to_the_floor_of_the_loss():
    """F(w_0) - 0, never below the gap to any point."""
    family = example()
    gap = exact.gap(family, 0.1)
    assert gap == exact.objective(family, family.start, 0.1)
    assert all(
        exact.objective(family, family.start, 0.1) - exact.objective(family, w, 0.1) <= gap for w in _points(family, 50)
    )


@compiled(types.void(ORACLE, MATRIX, MATRIX, PICKS, TABLE, REAL, WORD, MATRIX, MATRIX))
def _ask(oracle, points, vectors, picks, parameters, samples, seed, gradients, products):
    address = Address(seed, np.uint64(2), np.uint64(3), INNER, np.uint64(1), np.uint64(0))
    oracle.gradients(oracle.tasks, oracle.spread, points, picks, parameters, samples, address, gradients)
    address = at(address, HESSIAN)
    oracle.products(oracle.tasks, oracle.spread, points, vectors, picks, parameters, samples, address, products)


def _asked(family, w, v, picks, samples, seed=7):
    points, vectors = np.tile(w, (len(picks), 1)), np.tile(v, (len(picks), 1))
    gradients, products = np.empty((2, *points.shape))
    parameters = np.take(family.table, picks, axis=1)
    _ask(family.oracle, points, vectors, picks, parameters, float(samples), np.uint64(seed), gradients, products)
    return gradients, products


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_minibatches_are_the_rows_the_addresses_say(loss, samples):
    """Sampled gradients and products from the plain generator: a row for each uniform, gradients and Hessians apart."""
    family, picks = _build(loss=loss, scale=0.8), np.array([2, 0, 1, 1, 2])
    w, v = _points(family, 2)
    gradients, products = _asked(family, w, v, picks, samples)
    plain, (_, first, second) = reference.Noise(7, 2, 3), LOSSES[loss]
    for r, i in enumerate(picks):
        task = unpacked(family)[i]
        drawn = [[], []]
        for role, rows in zip((reference.INNER, reference.HESSIAN), drawn, strict=True):
            for j in range(samples):
                u = plain.uniforms(role, r * math.ceil(samples / 2) + j // 2)[j % 2]
                rows.append(int(u * len(task.y)))
        t = (task.X @ w - task.y) / 0.8
        gradient = sum(0.8 * first(t[k]) * task.X[k] for k in drawn[0]) / samples
        product = sum(second(t[k]) * (task.X[k] @ v) * task.X[k] for k in drawn[1]) / samples
        assert_allclose(gradients[r], gradient, rtol=1e-12, atol=1e-15)
        assert_allclose(products[r], product, rtol=1e-12, atol=1e-15)


def test_infinitely_many_samples_are_exact_and_one_row_is_one_row():
    """D = inf adds nothing, to the last bit; D = 1 always gives the gradient of one row, every row about as often."""
    family = example()
    w, v = family.start, np.ones(family.dim)
    gradients, products = _asked(family, w, v, np.arange(family.size), math.inf)
    assert (gradients == family.gradients(w)).all() and (products == family.hessian_vector_products(w, v)).all()
    count, task = 20_000, unpacked(family)[4]
    single = _asked(family, w, v, np.full(count, 4), 1)[0]
    rows = task.slopes(w[None])[0][:, None] * task.X
    distance = np.abs(single[:, None] - rows[None]).max(axis=2)
    assert distance.min(axis=1).max() <= 1e-12
    often = np.bincount(distance.argmin(axis=1), minlength=len(rows))
    allowed = math.sqrt(count * math.log(2 * len(rows) / DELTA) / 2)
    assert np.abs(often - count / len(rows)).max() <= allowed, "Hoeffding"


def test_another_oracle_may_stand_in_for_the_rows():
    """noise= puts normal noise of the same constants in their place; exact moments then need a separable family."""
    family = _build(noise="gaussian")
    assert (family.noise.gradient.name, family.noise.hessian.name) == ("gaussian", "isotropic")
    assert family.constants == _build().constants
    with pytest.raises(ValueError, match=r"exact.moments needs a separable family, which regression is not"):
        exact.moments(family, family.start, 0.1, 1, 1, 1)
    with pytest.raises(ValueError, match="hessian_noise must be left out with rows gradients"):
        _build(hessian_noise="isotropic")


def _enumerated(family, w, alpha, D_in, D_o, D_h):
    """E G, and E||E[G | known]||^2 as ever more is known: nothing, the task, its inner rows, its outer rows, all.

    Every minibatch is gone through in order of drawing, one by one.
    """
    mean, squares = np.zeros(family.dim), np.zeros(5)
    for p, task in zip(family.probabilities, unpacked(family), strict=True):

        def gradient(w, rows, task=task):
            return task.slopes(w[None])[0, rows] @ task.X[rows] / len(rows)

        def hessian(rows, task=task):
            return task.X[rows].T @ (task.bends(w[None])[0, rows, None] * task.X[rows]) / len(rows)

        def batches(D, task=task):
            return map(list, itertools.product(range(len(task.y)), repeat=D))

        given_task = []
        for inner in batches(D_in):
            x, given_inner = w - alpha * gradient(w, inner), []
            for outer in batches(D_o):
                h = gradient(x, outer)
                G = np.array([h - alpha * hessian(third) @ h for third in batches(D_h)])
                squares[4] += p * (G**2).sum() / len(G) / len(task.y) ** (D_in + D_o)
                given_inner.append(G.mean(axis=0))
            squares[3] += p * np.square(given_inner).sum() / len(given_inner) / len(task.y) ** D_in
            given_task.append(np.mean(given_inner, axis=0))
        squares[2] += p * np.square(given_task).sum() / len(given_task)
        squares[1] += p * np.square(np.mean(given_task, axis=0)).sum()
        mean += p * np.mean(given_task, axis=0)
    squares[0] = mean @ mean
    return mean, squares


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("D", [(1, 1, 1), (3, 1, 1), (1, 2, 1), (1, 1, 2)])
def test_exact_moments_are_those_of_every_minibatch(loss, D):
    """Multisets and covariance formulas against all ordered draws of rows; the variance source by source."""
    family = _build(_frame((3, 4), seed=2), loss=loss, scale=0.7, probabilities="rows")
    w, alpha = _points(family, 1)[0], 0.3
    found, (mean, squares) = exact.moments(family, w, alpha, *D), _enumerated(family, w, alpha, *D)
    assert_allclose(found.mean, mean, rtol=1e-11)
    assert_allclose(found.bias, mean - exact.meta_gradient(family, w, alpha), rtol=1e-8, atol=1e-14)
    assert math.isclose(found.second, squares[4], rel_tol=1e-11) and found.error == 0
    assert list(found.variance) == ["tasks", "D_in", "D_o", "D_h"]
    assert_allclose(list(found.variance.values()), np.diff(squares), rtol=1e-9, atol=1e-14)


def test_exact_oracles_leave_sums_over_tasks():
    """With every row in every batch there is no bias, and the second moment is that over tasks."""
    family = example()
    w = family.start
    found = exact.moments(family, w, 0.1)
    h = family.gradients_at(w - 0.1 * family.gradients(w))
    each = h - 0.1 * family.hessian_vector_products(w, h)
    assert not found.bias.any()
    assert_allclose(found.mean, exact.meta_gradient(family, w, 0.1), rtol=1e-12)
    assert math.isclose(found.second, family.probabilities @ (each**2).sum(axis=1), rel_tol=1e-12)


@pytest.mark.parametrize(
    ("D", "message"),
    [
        ((100, 1, 1), "task 1 with 4 rows has more than 100000 of 100: D_in must be smaller"),
        ((1.5, 1, 1), "D_in must be a whole number up to 4294967296 with rows noise, got 1.5"),
        ((1, 1, 2.5), "D_h must be a whole number up to 4294967296 with rows noise, got 2.5"),
    ],
)
def test_moments_that_cannot_be_enumerated_are_refused(D, message):
    """One sentence names the task, or the batch size."""
    family = _build()
    with pytest.raises(ValueError, match=message):
        exact.moments(family, family.start, 0.1, *D)


REPLICATES = 2**19
BATCHES = {
    "one row each": (1, 1, 1),
    "several": (2, 3, 2),
    "inner alone": (1, None, None),
    "outer alone": (None, 1, None),
}


def _deviation(family, w, alpha, D, asked=None):
    """How far the engine's mean and second moment of G lie off the exact ones, in units of what Bernstein allows.

    With R a bound of ||G||^2 and m = E||G||^2, which is known, Var||G||^2 <= R m and Var G_j <= m; |G_j| <= sqrt(R).
    """
    asked = dict(zip(("D_in", "D_o", "D_h"), asked or D, strict=True))
    plan = Experiment(family, alpha, B=1, step=1.0, **asked, iterations=1, replicates=REPLICATES).plan()
    points = np.tile(w, (REPLICATES, 1))
    engine_cpu.advance(plan, points, np.ones(1), 0, 2)
    G, found = w - points, exact.moments(family, w, alpha, *D)
    widest = max((task.X**2).sum(axis=1).max() for task in unpacked(family))
    steepest = unpacked(family)[0].scale * float(_robust.ranges(_robust.WELSCH).slope)
    R, m = (1 + alpha * widest) ** 2 * steepest**2 * widest, found.second
    allowed, chances = [], math.log(2 * (family.dim + 1) / DELTA) / REPLICATES
    for variance, reach in (*[(m, 2 * math.sqrt(R))] * family.dim, (R * m, R)):
        allowed.append(math.sqrt(2 * variance * chances) + 2 * reach * chances / 3)
    off = [*np.abs(G.mean(axis=0) - found.mean), abs((G**2).sum(axis=1).mean() - m)]
    return (np.array(off) / allowed).max()


@pytest.mark.parametrize("D", BATCHES.values(), ids=BATCHES)
def test_the_engine_samples_what_the_exact_moments_say(D):
    """E G and E||G||^2 of the engine's minibatches, by Bernstein's inequality at 1e-9."""
    family = example()
    assert _deviation(family, family.start, 0.1, D) <= 1


@pytest.mark.parametrize(("D", "asked"), [((1, 1, 1), (1, 2, 1)), ((1, 1, 1), (None, 1, 1)), ((1, 1, 1), (1, 1, None))])
def test_the_check_of_the_engine_finds_other_batches(D, asked):
    """A batch larger than the moments were asked for is seen."""
    family = _loud()
    assert _deviation(family, family.start, 0.3, D) <= 1 < _deviation(family, family.start, 0.3, D, asked)


def _loud():
    """Tasks whose minibatches differ much, so that every batch size can be heard."""
    return _build(_frame((3, 4, 5), seed=4, noise=3.0), scale=2.0, start=[1.0, -1.0, 1.0])
