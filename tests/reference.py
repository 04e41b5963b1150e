"""MAML in plain Python loops, written from the paper and from nothing of `simulations`: slow and obvious.

Algorithm 1 with update (3) and the stochastic meta-gradient (6), the two families of THEORY.md section 5,
Philox-4x32-10 and Box-Muller. Only the places of the random numbers are shared with the engine: role, replicate,
iteration and index.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TASK, INNER, OUTER, HESSIAN, STEP_TASK, STEP = range(6)
WORD = 2**32


def philox(counter: Sequence[int], key: Sequence[int]) -> tuple[int, int, int, int]:
    """Philox-4x32-10 of Salmon, Moraes, Dror and Shaw (2011), by whole numbers of any size."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * x0, WORD)
        high1, low1 = divmod(0xCD9E8D57 * x2, WORD)
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, low1, high0 ^ x3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return x0, x1, x2, x3


@dataclass(frozen=True)
class Noise:
    """The random numbers of one iteration of one replicate."""

    seed: int
    replicate: int
    iteration: int

    def uniforms(self, role: int, index: int) -> tuple[float, float]:
        """Two uniforms, each the 52 leading bits of two 32-bit words, in the middle of their cell."""
        words = philox((index, self.iteration, self.replicate, role), (self.seed % WORD, self.seed // WORD))
        return tuple(((high * WORD + low) // 2**12 + 0.5) / 2**52 for high, low in (words[:2], words[2:]))

    def normals(self, role: int, index: int) -> tuple[float, float]:
        """Two normals by Box and Muller."""
        u, v = self.uniforms(role, index)
        radius = math.sqrt(-2 * math.log(u))
        return radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)

    def vector(self, role: int, slot: int, d: int) -> list[float]:
        """d normals of one slot of a batch; the elements of the whole batch, in order, share pairs two by two."""
        return [self.normals(role, e // 2)[e % 2] for e in range(slot * d, (slot + 1) * d)]

    def scalar(self, role: int, slot: int) -> float:
        """One normal of one slot of a batch; two slots share a pair."""
        return self.normals(role, slot // 2)[slot % 2]

    def tasks(self, role: int, count: int, probabilities: Sequence[float]) -> list[int]:
        """Independent task numbers: the first whose running sum of probabilities exceeds a uniform."""
        picks = []
        for slot in range(count):
            left, i = self.uniforms(role, slot // 2)[slot % 2], 0
            while i < len(probabilities) - 1 and left >= probabilities[i]:
                left -= probabilities[i]
                i += 1
            picks.append(i)
        return picks


@dataclass(frozen=True)
class Cosine:
    """f(w) = sum_j A (1 - cos(omega (w_j - c_j))) + b . w with omega = rho/L, A = L/omega^2."""

    L: float
    rho: float
    c: Sequence[float]
    b: Sequence[float]

    def value(self, w: Sequence[float]) -> float:
        omega = self.rho / self.L
        A = self.L / omega**2
        return sum(A * (1 - math.cos(omega * (x - c))) + b * x for x, c, b in zip(w, self.c, self.b, strict=True))

    def gradient(self, w: Sequence[float]) -> list[float]:
        omega = self.rho / self.L
        return [self.L / omega * math.sin(omega * (x - c)) + b for x, c, b in zip(w, self.c, self.b, strict=True)]

    def hessian(self, w: Sequence[float]) -> list[list[float]]:
        omega = self.rho / self.L
        return diagonal([self.L * math.cos(omega * (x - c)) for x, c in zip(w, self.c, strict=True)])


@dataclass(frozen=True)
class Ramp:
    """f(x, y) = s tau softplus(-x/tau) + (L/omega^2)(1 - cos(omega y)) + tilt y, tau as L and rho allow."""

    L: float
    rho: float
    s: float
    tilt: float

    @property
    def tau(self) -> float:
        return max(self.s / (4 * self.L), math.sqrt(self.s / (6 * math.sqrt(3) * self.rho)))

    def start(self, Delta: float) -> list[float]:
        """The point of the ramp at height Delta: s tau log(1 + exp(-x/tau)) = Delta."""
        height = Delta / (self.s * self.tau)
        return [-self.tau * (height + math.log(1 - math.exp(-height))), 0.0]

    def value(self, w: Sequence[float]) -> float:
        (x, y), omega = w, self.rho / self.L
        t = -x / self.tau
        soft = t + math.log(1 + math.exp(-t)) if t > 0 else math.log(1 + math.exp(t))
        return self.s * self.tau * soft + self.L / omega**2 * (1 - math.cos(omega * y)) + self.tilt * y

    def gradient(self, w: Sequence[float]) -> list[float]:
        (x, y), omega = w, self.rho / self.L
        return [-self.s / (1 + math.exp(x / self.tau)), self.L / omega * math.sin(omega * y) + self.tilt]

    def hessian(self, w: Sequence[float]) -> list[list[float]]:
        (x, y), omega = w, self.rho / self.L
        share = 1 / (1 + math.exp(x / self.tau))
        return diagonal([self.s / self.tau * share * (1 - share), self.L * math.cos(omega * y)])


def diagonal(entries: Sequence[float]) -> list[list[float]]:
    return [[x if j == k else 0.0 for k in range(len(entries))] for j, x in enumerate(entries)]


def norm(v: Sequence[float]) -> float:
    return math.sqrt(sum(x * x for x in v))


@dataclass(frozen=True)
class Problem:
    """Tasks with their law, oracle noise, and the numbers of Algorithm 1; a batch size of inf is an exact oracle."""

    tasks: Sequence
    probabilities: Sequence[float]
    alpha: float
    sigma_tilde: float
    sigma_H: float
    D_in: float = math.inf
    D_o: float = math.inf
    D_h: float = math.inf

    def inner_point(self, task, w: Sequence[float]) -> list[float]:
        """x_i = w - alpha grad f_i(w)."""
        return [x - self.alpha * g for x, g in zip(w, task.gradient(w), strict=True)]

    def objective(self, w: Sequence[float]) -> float:
        """F(w) = E_i f_i(x_i): (1)."""
        pairs = zip(self.probabilities, self.tasks, strict=True)
        return sum(p * task.value(self.inner_point(task, w)) for p, task in pairs)

    def gradient(self, w: Sequence[float]) -> list[float]:
        """grad F(w) = E_i (I - alpha H_i) grad f_i(x_i): (5)."""
        total = [0.0] * len(w)
        for p, task in zip(self.probabilities, self.tasks, strict=True):
            h = task.gradient(self.inner_point(task, w))
            for j, row in enumerate(task.hessian(w)):
                total[j] += p * (h[j] - self.alpha * sum(x * y for x, y in zip(row, h, strict=True)))
        return total

    def noisy_gradient(self, task, w, D: float, noise: Noise, role: int, slot: int) -> list[float]:
        """The mean of D samples: normal, each coordinate with variance sigma_tilde^2/(d D)."""
        spread = self.sigma_tilde / math.sqrt(len(w) * D)
        return [g + spread * z for g, z in zip(task.gradient(w), noise.vector(role, slot, len(w)), strict=True)]

    def estimate(self, task, w, noise: Noise, slot: int) -> list[float]:
        """G_i = (I - alpha H~_i) h~_i: (6), with H~_i = H_i + sigma_H z I/sqrt(D_h)."""
        g = self.noisy_gradient(task, w, self.D_in, noise, INNER, slot)
        x = [u - self.alpha * v for u, v in zip(w, g, strict=True)]
        h = self.noisy_gradient(task, x, self.D_o, noise, OUTER, slot)
        extra = self.sigma_H / math.sqrt(self.D_h) * noise.scalar(HESSIAN, slot)
        product = [sum(x * y for x, y in zip(row, h, strict=True)) for row in task.hessian(w)]
        return [h[j] - self.alpha * (product[j] + extra * h[j]) for j in range(len(w))]

    def update(self, w, B: int | None, noise: Noise) -> list[float]:
        """(1/B) sum of G_i over a batch: (3); with B = None the mean over all tasks by their probabilities."""
        if B is None:
            shares, picks = self.probabilities, range(len(self.tasks))
        else:
            shares, picks = [1 / B] * B, noise.tasks(TASK, B, self.probabilities)
        estimates = [self.estimate(self.tasks[i], w, noise, slot) for slot, i in enumerate(picks)]
        return [sum(p * G[j] for p, G in zip(shares, estimates, strict=True)) for j in range(len(w))]

    def mean_norm(self, w, noise: Noise, B_step: int | None, D_step: float) -> float:
        """E_i||grad f_i(w)||, or its estimate from B_step fresh tasks with D_step samples each."""
        if B_step is None:
            return sum(p * norm(task.gradient(w)) for p, task in zip(self.probabilities, self.tasks, strict=True))
        picks = noise.tasks(STEP_TASK, B_step, self.probabilities)
        sampled = (self.noisy_gradient(self.tasks[i], w, D_step, noise, STEP, r) for r, i in enumerate(picks))
        return sum(norm(g) for g in sampled) / B_step


def trajectory(
    problem: Problem, w: Sequence[float], B: int | None, step: Callable, iterations: int, seed: int, replicate: int
) -> list[tuple[float, float, float]]:
    """(||grad F(w_k)||, F(w_k), step) for k = 0, ..., iterations - 1; step: (k, w, noise) -> beta_k."""
    rows = []
    for k in range(iterations):
        noise = Noise(seed, replicate, k)
        beta = step(k, w, noise)
        rows.append((norm(problem.gradient(w)), problem.objective(w), beta))
        w = [x - beta * u for x, u in zip(w, problem.update(w, B, noise), strict=True)]
    return rows
