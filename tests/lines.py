"""Tasks on a line as adversaries: gradients that are L-Lipschitz and nothing else, so rho is as large as it likes.

With L = 1 a task is its gradient at w, its curvature there, and its gradient at every point that MAML visits: w, the
adapted point and the adapted points under two-point noise. Any values whose slopes between neighbours lie in [-1, 1]
belong to such a task. Nothing here is taken from the proofs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import differential_evolution, minimize

TASKS = 2
PER_TASK = 5
SIZE = TASKS * PER_TASK + 2


def maximum(function, size, rounds=150):
    """The largest value found by differential evolution, finished by Nelder and Mead's method."""
    generator = np.random.Generator(np.random.Philox(1))
    point = differential_evolution(
        lambda x: -function(x), [(-4, 4)] * size, rng=generator, maxiter=rounds, popsize=10, tol=1e-12, polish=False
    ).x
    for _ in range(2):
        options = {"maxfev": 2000, "adaptive": True}
        found = minimize(lambda x: -function(x), point, method="Nelder-Mead", options=options)
        point = found.x
    return -found.fun


@dataclass(frozen=True)
class Line:
    """What the claims speak of, for one instance at w = 0 with L = 1; the norms of scalars are absolute values."""

    grad_F: float
    grad_f: float
    sigma: float
    sigma_tilde: float
    task_second: float
    mean_G: float
    bias_norm: float
    second_G: float


def line(numbers: np.ndarray, a: float, lam: float, outer: float) -> Line:
    """An instance from SIZE unconstrained numbers.

    Args:
        numbers: per task a gradient, a curvature and three slopes; then the odds of the tasks and the inner noise.
        a: alpha L.
        lam: alpha^2 sigma_H^2/D_h.
        outer: variance of the outer gradient.
    """
    odds = 1 / (1 + np.exp(-numbers[-2]))
    noise = abs(numbers[-1])
    found = [_task(numbers[i * PER_TASK : (i + 1) * PER_TASK], a, noise) for i in range(TASKS)]
    g, A, h, low, high = np.array(found).T
    p = np.array([odds, 1 - odds])
    y, q = A * h, (low + high) / 2
    squares = (low**2 + high**2) / 2 + outer
    return Line(
        grad_F=abs(p @ y),
        grad_f=abs(p @ g),
        sigma=float(np.sqrt(p @ (g - p @ g) ** 2)),
        sigma_tilde=noise,
        task_second=float(p @ y**2),
        mean_G=abs(p @ (A * q)),
        bias_norm=abs(p @ (A * (q - h))),
        second_G=float(p @ ((A**2 + lam) * squares)),
    )


def mirrored(numbers: np.ndarray) -> np.ndarray:
    """Two tasks that are each other's mirror image, equally likely: grad F = 0; from PER_TASK + 1 numbers."""
    g, curvature, *slopes, noise = numbers
    return np.array([g, curvature, *slopes, -g, curvature, *reversed(slopes), 0.0, noise])


def _task(numbers: np.ndarray, a: float, noise: float) -> tuple[float, ...]:
    """Gradient at 0, I - alpha H there, and the gradient at -a g, -a (g + noise), -a (g - noise)."""
    g, curvature, *slopes = numbers
    points = np.array([0.0, -a * g, -a * (g + noise), -a * (g - noise)])
    order = np.argsort(points, kind="stable")
    steps = np.diff(points[order]) * np.sin(slopes)
    values = np.empty(4)
    values[order] = np.concatenate([[0.0], np.cumsum(steps)])
    values += g - values[0]
    return g, 1 - a * np.sin(curvature), *values[1:]
