"""JAX as a good user writes it: the loss once, grad and jvp of it, vmap over tasks and replicates, scan, jit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.cases import Case

jax.config.update("jax_enable_x64", True)


def _build(case: Case):
    p = case.problem()
    tasks, d = p.shift.shape
    shift, tilt, start = jnp.asarray(p.shift), jnp.asarray(p.tilt), jnp.asarray(p.start)

    def loss(w, c, b):
        return p.A * jnp.sum(1 - jnp.cos(p.omega * (w - c))) + b @ w

    gradient = jax.grad(loss)

    def estimate(key, w, c, b):
        inner_key, outer_key, hessian_key = jax.random.split(key, 3)
        x = w - p.alpha * (gradient(w, c, b) + p.inner * jax.random.normal(inner_key, (d,)))
        h = gradient(x, c, b) + p.outer * jax.random.normal(outer_key, (d,))
        product = jax.jvp(lambda v: gradient(v, c, b), (w,), (h,))[1]
        return h - p.alpha * (product + p.hessian * jax.random.normal(hessian_key) * h)

    def step(key, w):
        task_key, noise_key = jax.random.split(key)
        picks = jax.random.randint(task_key, (p.B_step,), 0, tasks)
        found = jax.vmap(gradient, (None, 0, 0))(w, shift[picks], tilt[picks])
        found += p.step * jax.random.normal(noise_key, (p.B_step, d))
        return 1 / (p.base + p.slope * jnp.linalg.norm(found, axis=1).mean())

    def update(w, key):
        task_key, noise_key, step_key = jax.random.split(key, 3)
        picks = jax.random.randint(task_key, (p.B,), 0, tasks)
        keys = jax.random.split(noise_key, p.B)
        G = jax.vmap(estimate, (0, None, 0, 0))(keys, w, shift[picks], tilt[picks])
        return w - step(step_key, w) * G.mean(0), None

    def exact_update(w, _):
        norms = jnp.linalg.norm(jax.vmap(gradient, (None, 0, 0))(w, shift, tilt), axis=1)
        return w - jax.grad(objective)(w) / (p.base + p.slope * norms.mean()), None

    def objective(w):
        adapted = jax.vmap(lambda c, b: loss(w - p.alpha * gradient(w, c, b), c, b))
        return adapted(shift, tilt).mean()

    def squared_norm(w):
        return jnp.sum(jax.grad(objective)(w) ** 2)

    def stretch(w, keys):
        return lax.scan(update if case.noisy else exact_update, w, keys)[0], squared_norm(w)

    def replicate(key):
        keys = jax.random.split(key, (p.iterations // p.record_every, p.record_every))
        w, norms = lax.scan(stretch, start, keys)
        return w, jnp.append(norms, squared_norm(w))

    @jax.jit
    def everything(key):
        w, norms = jax.vmap(replicate)(jax.random.split(key, p.replicates))
        return w, norms.T

    key = jax.random.key(p.seed)
    return lambda: jax.block_until_ready(everything(key))


VARIANTS = {"JAX as a user writes it": ("all", _build)}
