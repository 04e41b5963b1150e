"""Robust regression on grouped data: each group of rows of a data frame is a task, and the oracle draws its rows.

f_i(w) = (s^2/n_i) sum_k psi((x_k . w - y_k)/s) over the n_i rows (x_k, y_k) of task i, s the scale and psi a bounded
nonconvex loss with psi''(0) = 1: for a large scale half the mean squared residual, for a small one outliers are
forgotten. The constants hold at every w in R^d. Write b1 and b3 for max|psi'| and max|psi'''|, [lo, hi] for the range
of psi'', A_i for the mean of x x^T over the rows of task i, B_i for that of ||x|| x x^T, M_i for that of
||x||^2 x x^T.

L: max_i max(hi, -lo) lambda_max(A_i). The Hessian is the mean of psi'' x x^T and lies between lo A_i and hi A_i.
    Attained where some w fits all rows of a task with the largest A_i, since psi''(0) = hi; safe elsewhere.
rho: max_i (b3/s) lambda_max(B_i). The third derivative is a symmetric trilinear form, so its norm is its largest value
    on one unit vector v (Banach); that is the mean of psi''' (x . v)^3/s, and |x . v|^3 <= ||x|| (x . v)^2.
sigma: ||grad f_i|| <= G_i = s b1 sqrt(lambda_max(A_i)), by Cauchy and Schwarz on the mean of s psi' (x . v). The
    variance is at most the second moment E G_i^2, and it is half the mean squared distance of two independent tasks,
    at most E G_i^2 + (E G_i)^2 - 2 sum_i p_i^2 G_i^2; sigma^2 is the smaller. Attained (0) for a single task.
sigma_tilde: max_i s b1 sqrt(tr A_i), the root of the second moment of one row's gradient s psi' x.
sigma_H, weak reading: max_i c sqrt(lambda_max(M_i - A_i^2)) + h sqrt(lambda_max(M_i)), c = |hi + lo|/2 and
    h = (hi - lo)/2. One row's psi'' x (x . v) is the sum of (hi + lo)/2 x (x . v), of variance
    (hi + lo)^2/4 v . (M_i - A_i^2) v, and of a part of norm at most h ||x|| |x . v|; deviations add up at most.
sigma_H, strong reading: the same with traces, which bounds the Frobenius norm of the noise.
inf F >= 0, since psi >= 0.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from simulations.families import _robust
from simulations.families._frame import LARGEST, grouped
from simulations.families._multisets import moments
from simulations.families._rows import (
    Rows,
    expression,
    gradients,
    packed,
    products,
    sampled_gradients,
    sampled_products,
    values,
)
from simulations.families._witness import Witnessed
from simulations.family import Family, real
from simulations.noise import GradientNoise, HessianNoise, Noise, Strong
from theory import Constants
from theory.rationals import Number

if TYPE_CHECKING:
    import pandas as pd

_FITTED = 1e-9
_MOST = 2**32


def regression(
    frame: pd.DataFrame,
    target: Hashable,
    task: Hashable,
    features: Sequence[Hashable] | None = None,
    loss: Literal["welsch", "geman-mcclure"] = "welsch",
    scale: Number = 1.0,
    standardise: bool = True,
    intercept: bool = True,
    probabilities: Literal["uniform", "rows"] = "uniform",
    start: Sequence[float] | None = None,
) -> Family:
    """Robust regression of a column on others, one task for each group of rows.

    Args:
        frame: the data, one row an observation.
        target: column of the y_k.
        task: column that tells the tasks apart; they are numbered in the order in which they first appear.
        features: columns of the x_k; all others by default.
        loss: "welsch", 1 - exp(-t^2/2), or "geman-mcclure", t^2/(2 (1 + t^2)).
        scale: residual at which the loss starts to forget, in units of the target as it is used.
        standardise: whether target and features are brought to mean 0 and standard deviation 1 over all rows.
        intercept: whether x_k starts with a 1.
        probabilities: of the tasks, "uniform" or proportional to their "rows".
        start: w_0, (d,), the intercept first; zero by default.

    Returns:
        The family; one sample of its oracle is one row of the task, drawn with replacement.

    Raises:
        ValueError: an argument is out of its range, or the frame has missing, infinite or non-numeric values, a
            constant column or a task of one row; the message names the column or the task.
    """
    for name, asked, known in (("loss", loss, _robust.LOSSES), ("probabilities", probabilities, ("uniform", "rows"))):
        if asked not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {asked!r}")
    s = real(scale)
    if not 1 / LARGEST <= s <= LARGEST:
        raise ValueError(f"scale must lie in [{1 / LARGEST:g}, {LARGEST:g}], got {scale}")
    X, y = grouped(frame, target, task, features, standardise, intercept)
    counts = np.array([len(rows) for rows in X])
    p = counts / counts.sum() if probabilities == "rows" else np.full(len(X), 1 / len(X))
    tasks = [Rows(_robust.LOSSES[loss], s, *rows) for rows in zip(X, y, strict=True)]
    constants, strong, attained = _constants(tasks, p)
    table, shared = packed(tasks)
    ratio = (strong / constants.sigma_H) ** 2
    rows = HessianNoise(
        "rows", sampled_products, whole=True, most=_MOST, strong=lambda d, D: Strong(ratio / D, "bound")
    )
    standing = dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H"), "safe")
    family = Family(
        name="regression",
        kernels=(values, gradients, products),
        table=table,
        shared=shared,
        probabilities=p,
        constants=constants,
        standing=standing | dict.fromkeys(attained, "attained"),
        start=np.zeros(table.shape[2]),
        expression=expression,
        floor=0.0,
        seen=Witnessed(tasks, p),
        proof=partial(_robust.certificate, _robust.LOSSES[loss]),
        noise=Noise(
            GradientNoise("rows", sampled_gradients, partner=rows, whole=True, most=_MOST, moments=moments), rows
        ),
    )
    return family if start is None else family.started_at(start)


def _constants(tasks: list[Rows], p: np.ndarray) -> tuple[Constants, float, list[str]]:
    """The constants as the head of this file proves them, sigma_H in the strong reading, and which are attained."""
    slope, lowest, highest, third = map(float, _robust.ranges(tasks[0].loss))
    s, centre, half = tasks[0].scale, abs(highest + lowest) / 2, (highest - lowest) / 2
    A, B, M = ([_weighted(task.X, power) for task in tasks] for power in (0, 1, 2))
    S = [m - a @ a for m, a in zip(M, A, strict=True)]
    widths = np.array([_top(a) for a in A])
    G = s * slope * np.sqrt(widths)
    second, apart = p @ G**2, p @ G**2 + (p @ G) ** 2 - 2 * p**2 @ G**2
    weak, strong = (
        max(centre * math.sqrt(size(c)) + half * math.sqrt(size(m)) for c, m in zip(S, M, strict=True))
        for size in (_top, _trace)
    )
    constants = Constants(
        L=max(highest, -lowest) * float(widths.max()),
        rho=third / s * max(map(_top, B)),
        sigma=math.sqrt(max(0.0, min(second, apart))),
        sigma_tilde=s * slope * math.sqrt(max(map(_trace, A))),
        sigma_H=weak,
    )
    widest = tasks[int(widths.argmax())]
    fit = np.linalg.lstsq(widest.X, widest.y)[0]
    fitted = np.abs(widest.residuals(fit[None])).max() <= _FITTED
    return constants, strong, ["L"] * bool(fitted) + ["sigma"] * (len(tasks) == 1)


def _weighted(x: np.ndarray, power: int) -> np.ndarray:
    """The mean of ||x||^power x x^T over rows x, (d, d)."""
    return (x.T * np.linalg.norm(x, axis=1) ** power) @ x / len(x)


def _top(matrix: np.ndarray) -> float:
    """Largest eigenvalue of a symmetric positive semidefinite matrix."""
    return max(0.0, float(np.linalg.eigvalsh(matrix)[-1]))


def _trace(matrix: np.ndarray) -> float:
    """Trace of a symmetric positive semidefinite matrix."""
    return max(0.0, float(np.trace(matrix)))


def example() -> Family:
    """Five tasks of three to seven made-up rows with two features: the member on which every family's tests run."""
    import pandas as pd

    generator = np.random.Generator(np.random.Philox(0))
    task = np.repeat(np.arange(5), np.arange(3, 8))
    x = generator.standard_normal((task.size, 2)) + 0.3 * task[:, None]
    y = x @ [1.0, -0.5] + 0.2 * task + generator.standard_t(3, task.size)
    frame = pd.DataFrame({"task": task, "first": x[:, 0], "second": x[:, 1], "y": y})
    return regression(frame, target="y", task="task", scale=0.7, start=[0.4, -0.6, 0.9])
