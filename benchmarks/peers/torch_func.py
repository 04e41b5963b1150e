"""torch on the CPU: torch.func as a user writes it, and the array formulas, all cores."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.func import grad, jvp, vmap

from benchmarks.cases import Case, Problem
from benchmarks.peers._arrays import Noise, Tables, iteration, shapes, squared_norm

torch.set_default_dtype(torch.float64)


def _sincos(x):
    return torch.sin(x), torch.cos(x)


def _drawn(p: Problem, noisy: bool, merged: bool, generator: torch.Generator) -> Noise:
    def picks(count: int):
        if not count:
            return torch.arange(len(p.shift)).expand(p.replicates, -1)
        return torch.randint(len(p.shift), (p.replicates, count), generator=generator)

    wanted = shapes(p, merged, p.replicates)
    normals = (torch.randn(shape if noisy else 1, generator=generator) for shape in wanted.values())
    return Noise(picks(p.B), picks(p.B_step), **dict(zip(wanted, normals, strict=True)))


def _run(p: Problem, case: Case, merged: bool, update, norm):
    def run():
        generator = torch.Generator().manual_seed(p.seed)
        w, norms = torch.tile(torch.as_tensor(p.start), (p.replicates, 1)), []
        for k in range(p.iterations):
            if k % p.record_every == 0:
                norms.append(norm(w))
            w = update(w, _drawn(p, case.noisy, merged, generator))
        return w.numpy(), np.array([found.numpy() for found in [*norms, norm(w)]])

    return run


def _arrays(merged: bool, case: Case):
    p = case.problem()
    tables = Tables.of(p, torch.as_tensor)
    update = partial(iteration, torch, _sincos, tables, p, merged)
    return _run(p, case, merged, update, partial(squared_norm, _sincos, tables, p))


def _functional(case: Case):
    p = case.problem()
    shift, tilt = torch.as_tensor(p.shift), torch.as_tensor(p.tilt)

    def loss(w, c, b):
        return p.A * torch.sum(1 - torch.cos(p.omega * (w - c))) + b @ w

    gradient = grad(loss)

    def estimate(w, c, b, xi, zeta, z):
        x = w - p.alpha * (gradient(w, c, b) + p.inner * xi)
        h = gradient(x, c, b) + p.outer * zeta
        return h - p.alpha * (jvp(lambda v: gradient(v, c, b), (w,), (h,))[1] + p.hessian * z * h)

    def objective(w):
        adapted = vmap(lambda c, b: loss(w - p.alpha * gradient(w, c, b), c, b))
        return adapted(shift, tilt).mean()

    estimates = vmap(vmap(estimate, (None, 0, 0, 0, 0, 0)))
    gradients = vmap(vmap(gradient, (None, 0, 0)))

    def update(w, noise: Noise):
        picks, step_picks, *normals = noise
        normals = [z.expand(*picks.shape, z.shape[-1]) for z in normals[:3]] + normals[3:]
        G = estimates(w, shift[picks], tilt[picks], *normals[:3]).mean(1)
        found = gradients(w, shift[step_picks], tilt[step_picks]) + p.step * normals[3]
        return w - G / (p.base + p.slope * found.norm(dim=2).mean(1))[:, None]

    return _run(p, case, False, update, lambda w: (vmap(grad(objective))(w) ** 2).sum(1))


VARIANTS = {
    "torch.func": ("all", _functional),
    "torch arrays all": ("all", partial(_arrays, False)),
    "torch arrays merged": ("merged", partial(_arrays, True)),
}
