"""One iteration over whole arrays, for every library with NumPy's functions: gradients and Hessians of all tasks at w
from d sines and cosines by angle addition, tables gathered once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.cases import Problem


class Noise(NamedTuple):
    """Task indices (R, B) and (R, B_step), and standard normals: inner (R, B, d), outer (R, B, d) or, merged, (R, d),
    hessian (R, B, 1), step (R, B_step, d)."""

    picks: object
    step_picks: object
    inner: object
    outer: object
    hessian: object
    step: object


class Tables(NamedTuple):
    """Of each task, (tasks, d): omega shift, its cosine and sine, the tilt."""

    angle: object
    cosine: object
    sine: object
    tilt: object

    @staticmethod
    def of(p: Problem, asarray: Callable) -> Tables:
        angle = p.omega * p.shift
        return Tables(*map(asarray, (angle, np.cos(angle), np.sin(angle), p.tilt)))

    def rows(self, picks):
        return Tables(*(table[picks] for table in self))


def shapes(p: Problem, merged: bool, replicates: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the normals of a `Noise`."""
    B, B_step, d = p.B, p.B_step, p.start.size
    outer = (replicates, d) if merged else (replicates, B, d)
    return {
        "inner": (replicates, B, d),
        "outer": outer,
        "hessian": (replicates, B, 1),
        "step": (replicates, B_step, d),
    }


def iteration(xp, sincos: Callable, tables: Tables, p: Problem, merged: bool, w, noise: Noise):
    """w after one iteration, (R, d). A mean over axis 1 is over tasks.

    Merged: given picks, inner noise and Hessian noise z the outer noise of the tasks is one normal vector, whose
    variance in a coordinate is outer^2/B^2 sum_i (1 - alpha (H_i + z_i))^2.
    """
    Aomega = p.A * p.omega
    sine, cosine = (part[:, None] for part in sincos(p.omega * w))
    rows = tables.rows(noise.picks)
    inner = Aomega * (sine * rows.cosine - cosine * rows.sine) + rows.tilt + p.inner * noise.inner
    outer = Aomega * sincos(p.omega * (w[:, None] - p.alpha * inner) - rows.angle)[0] + rows.tilt
    factor = 1 - p.alpha * (Aomega * p.omega * (cosine * rows.cosine + sine * rows.sine) + p.hessian * noise.hessian)
    if merged:
        G = (factor * outer).mean(1) + p.outer / factor.shape[1] * xp.sqrt((factor * factor).sum(1)) * noise.outer
    else:
        G = (factor * (outer + p.outer * noise.outer)).mean(1)
    rows = tables.rows(noise.step_picks)
    norms = Aomega * (sine * rows.cosine - cosine * rows.sine) + rows.tilt + p.step * noise.step
    return w - G / (p.base + p.slope * xp.sqrt((norms * norms).sum(2)).mean(1))[:, None]


def squared_norm(sincos: Callable, tables: Tables, p: Problem, w):
    """||grad F(w)||^2 over all tasks, (R,)."""
    Aomega = p.A * p.omega
    sine, cosine = (part[:, None] for part in sincos(p.omega * w))
    inner = Aomega * (sine * tables.cosine - cosine * tables.sine) + tables.tilt
    outer = Aomega * sincos(p.omega * (w[:, None] - p.alpha * inner) - tables.angle)[0] + tables.tilt
    factor = 1 - p.alpha * Aomega * p.omega * (cosine * tables.cosine + sine * tables.sine)
    return ((factor * outer).mean(1) ** 2).sum(1)
