"""MAML's relatives in plain Python loops, each from its paper, on the tasks, oracles and noise of `reference`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reference import HESSIAN, INNER, OUTER, Problem, norm

STAGE = 256


def minus(x, scale, y):
    return [u - scale * v for u, v in zip(x, y, strict=True)]


def times(matrix, v):
    return [sum(a * x for a, x in zip(row, v, strict=True)) for row in matrix]


def solve(matrix, v):
    """The solution of matrix x = v by elimination with the largest pivot."""
    rows = [[*row, b] for row, b in zip(matrix, v, strict=True)]
    n = len(rows)
    for k in range(n):
        best = max(range(k, n), key=lambda r, k=k: abs(rows[r][k]))
        rows[k], rows[best] = rows[best], rows[k]
        for r in range(n):
            if r != k:
                rows[r] = minus(rows[r], rows[r][k] / rows[k][k], rows[k])
    return [rows[k][n] / rows[k][k] for k in range(n)]


@dataclass(frozen=True)
class FirstOrder(Problem):
    """FMO G.1: G_i = h~_i."""

    def estimate(self, task, w, noise, slot):
        x = minus(w, self.alpha, self.noisy_gradient(task, w, self.D_in, noise, INNER, slot))
        return self.noisy_gradient(task, x, self.D_o, noise, OUTER, slot)


@dataclass(frozen=True)
class HessianFree(Problem):
    """FMO H.1: the Hessian-vector product of MAML as a central difference with delta = zeta/(rho alpha ||h~_i||)."""

    zeta: float = 1 / 6
    rho: float = 1.0

    def estimate(self, task, w, noise, slot):
        x = minus(w, self.alpha, self.noisy_gradient(task, w, self.D_in, noise, INNER, slot))
        h = self.noisy_gradient(task, x, self.D_o, noise, OUTER, slot)
        delta = self.zeta / (self.rho * self.alpha * norm(h))
        ahead = self.noisy_gradient(task, minus(w, -delta, h), self.D_h, noise, HESSIAN, slot)
        behind = self.noisy_gradient(task, minus(w, delta, h), self.D_h, noise, HESSIAN, slot)
        return [h[j] - self.alpha * (ahead[j] - behind[j]) / (2 * delta) for j in range(len(w))]


@dataclass(frozen=True)
class MultiStep(Problem):
    """Ji: N inner steps, fresh samples for each of them and for each Hessian along the way."""

    steps: int = 2

    def path(self, task, w, noise=None, slot=0):
        """w_0, ..., w_N; exact without noise."""
        points = [list(w)]
        for j in range(self.steps):
            w = points[-1]
            g = self.noisy_gradient(task, w, self.D_in, noise, INNER + STAGE * j, slot) if noise else task.gradient(w)
            points.append(minus(w, self.alpha, g))
        return points

    def inner_point(self, task, w):
        return self.path(task, w)[-1]

    def back(self, task, points, v, extra):
        """(I - alpha H(w_0)) ... (I - alpha H(w_{N-1})) v, Hessians with extra(j) times the identity."""
        for j in reversed(range(self.steps)):
            product = times(task.hessian(points[j]), v)
            v = [v[k] - self.alpha * (product[k] + extra(j) * v[k]) for k in range(len(v))]
        return v

    def gradient(self, w):
        total = [0.0] * len(w)
        for p, task in zip(self.probabilities, self.tasks, strict=True):
            points = self.path(task, w)
            total = minus(total, -p, self.back(task, points, task.gradient(points[-1]), lambda j: 0.0))
        return total

    def estimate(self, task, w, noise, slot):
        points = self.path(task, w, noise, slot)
        h = self.noisy_gradient(task, points[-1], self.D_o, noise, OUTER, slot)
        size = self.sigma_H / math.sqrt(self.D_h)
        return self.back(task, points, h, lambda j: size * noise.scalar(HESSIAN + STAGE * j, slot))


@dataclass(frozen=True)
class Reptile(MultiStep):
    """Nichol: (w - w_k)/alpha with k = steps + 1 gradient steps, judged by MAML with k - 1 = steps inner steps."""

    def estimate(self, task, w, noise, slot):
        here = list(w)
        for j in range(self.steps + 1):
            here = minus(here, self.alpha, self.noisy_gradient(task, here, self.D_in, noise, INNER + STAGE * j, slot))
        return [(x - y) / self.alpha for x, y in zip(w, here, strict=True)]


@dataclass(frozen=True)
class Implicit(Problem):
    """Rajeswaran: the proximal point phi_i and (I + H/lambda)^{-1} grad f_i(phi_i), solved as far as rounding goes."""

    strength: float = 6.0

    def proximal(self, task, w, shift):
        """The zero of grad f(phi) + shift + lambda (phi - w), by Newton's method."""
        phi = list(w)
        for _ in range(50):
            pulled = [
                g + s + self.strength * (x - y) for g, s, x, y in zip(task.gradient(phi), shift, phi, w, strict=True)
            ]
            phi = minus(phi, 1.0, solve(self.shifted(task, phi, self.strength), pulled))
        return phi

    def shifted(self, task, w, number):
        return [[x + (number if j == k else 0.0) for k, x in enumerate(row)] for j, row in enumerate(task.hessian(w))]

    def inner_point(self, task, w):
        return self.proximal(task, w, [0.0] * len(w))

    def implicit(self, task, phi, v, extra):
        """(I + (H + extra I)/lambda)^{-1} v."""
        return solve(self.shifted(task, phi, self.strength + extra), [self.strength * x for x in v])

    def gradient(self, w):
        total = [0.0] * len(w)
        for p, task in zip(self.probabilities, self.tasks, strict=True):
            phi = self.inner_point(task, w)
            total = minus(total, -p, self.implicit(task, phi, task.gradient(phi), 0.0))
        return total

    def estimate(self, task, w, noise, slot):
        spread = self.sigma_tilde / math.sqrt(len(w) * self.D_in)
        phi = self.proximal(task, w, [spread * z for z in noise.vector(INNER, slot, len(w))])
        h = self.noisy_gradient(task, phi, self.D_o, noise, OUTER, slot)
        return self.implicit(task, phi, h, self.sigma_H / math.sqrt(self.D_h) * noise.scalar(HESSIAN, slot))
