"""Exact moments of the meta-gradient where samples are rows: every multiset of D_in rows with its probability, and
covariances over rows for D_o and D_h."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, islice

import numpy as np

from simulations.exact import Moments
from simulations.families._rows import Rows, unpacked
from simulations.family import Family

MOST = 100_000
_CHUNK = 4096


def multisets(n: int, D: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All multisets of D of n rows, in chunks of m: the share of each row (m, n), and the probabilities (m,) of drawing
    them with replacement, by stars and bars. D = inf stands for every row once."""
    from scipy.special import gammaln

    if math.isinf(D):
        yield np.full((1, n), 1 / n), np.ones(1)
        return
    places = combinations(range(int(D) + n - 1), n - 1)
    while chunk := list(islice(places, _CHUNK)):
        bars = np.array(chunk, dtype=float).reshape(len(chunk), n - 1)
        counts = np.diff(bars, axis=1, prepend=-1, append=D + n - 1) - 1
        yield counts / D, np.exp(gammaln(D + 1) - gammaln(counts + 1).sum(axis=1) - D * math.log(n))


def moments(family: Family, w: np.ndarray, alpha: float, D_in: float, D_o: float, D_h: float) -> Moments:
    """The moments of G = (I - alpha H~_i) h~_i, each factor from rows of its own: survey (6).

    Raises:
        ValueError: a task has more than MOST multisets of D_in rows.
    """
    tasks = unpacked(family)
    for i, task in enumerate(tasks):
        n = len(task.y)
        if D_in < math.inf and math.comb(n + int(D_in) - 1, int(D_in)) > MOST:
            raise ValueError(
                f"exact moments enumerate the multisets of D_in rows, and task {i} with {n} rows has more than {MOST} "
                f"of {D_in:g}: D_in must be smaller, or None for the exact inner gradient"
            )
    p = family.probabilities
    means, variances = zip(*(_moments(task, w, alpha, D_in, D_o, D_h) for task in tasks), strict=True)
    mean = p @ means
    exact = p @ [_moments(task, w, alpha, math.inf, math.inf, math.inf)[0] for task in tasks]
    parts = p @ np.column_stack([((means - mean) ** 2).sum(axis=1), variances])
    variance = dict(zip(("tasks", "D_in", "D_o", "D_h"), map(float, parts), strict=True))
    return Moments(mean, float(mean @ mean + parts.sum()), mean - exact, variance, error=0.0)


def _moments(task: Rows, w: np.ndarray, alpha: float, D_in: float, D_o: float, D_h: float) -> tuple[np.ndarray, tuple]:
    """E G_i, and what the minibatches of D_in, D_o and D_h rows each add to the variance.

    Let x be the point an inner minibatch leads to. The means of h~ and H~ are h(x) and H; Cov(x) of one row's gradient
    at x and E N^2 of one row's Hessian noise N are sums over rows, and D_o and D_h rows leave 1/D_o and 1/D_h of them.
    With S = I - alpha H the three are E||S (h(x) - E h(x))||^2, E tr(S^2 Cov(x))/D_o and
    alpha^2 E[h . E N^2 h + tr(E N^2 Cov(x))/D_o]/D_h.
    """
    (n, d), X = task.X.shape, task.X
    bends, slopes = task.bends(w[None]), task.slopes(w[None])[0]
    H = task.mean_outer(bends)[0]
    N = task.mean_outer(bends**2 * (X**2).sum(axis=1))[0] - H @ H
    S = np.eye(d) - alpha * H
    squares = np.stack([_forms(X, S @ S), _forms(X, N)], axis=1)
    found = []
    for shares, chances in multisets(n, D_in):
        factors = task.slopes(w - alpha * (shares * slopes) @ X)
        found.append((chances, factors @ X / n, factors**2 @ squares / n))
    chances, h, second = map(np.concatenate, zip(*found, strict=True))
    mean, of_mean = chances @ h, np.stack([_forms(h, S @ S), _forms(h, N)], axis=1)
    outer, both = chances @ (second - of_mean) / D_o
    return S @ mean, (chances @ _forms(h - mean, S @ S), outer, alpha**2 / D_h * (chances @ of_mean[:, 1] + both))


def _forms(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """x . matrix x for every row x."""
    return ((rows @ matrix) * rows).sum(axis=1)
