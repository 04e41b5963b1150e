"""The same iteration as a good JAX user writes it for a GPU: batched, jitted, scanned, float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulations import families

GENERATORS = ("threefry2x32", "rbg")


def timed(
    best: Callable, d: int, tasks: int, replicates: int, iterations: int, B: int, count: int
) -> dict[str, object]:
    """Nanoseconds per task-coordinate with each generator, by name; `best` times a function."""
    try:
        import jax  # noqa: F401
    except ImportError:
        return {"JAX": "not installed"}
    found = {f"JAX {name}": 1e9 * best(_work(d, tasks, replicates, iterations, B, name)) / count for name in GENERATORS}
    return found | {"JAX best": min(found.values())}


def _work(d, tasks, replicates, iterations, B, generator):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    family = families.cosine(d, tasks, sigma=0.1)
    (shifts, tilts), (A, omega) = map(jnp.asarray, (family.table, family.shared))
    s = float(family.constants.sigma_tilde) / np.sqrt(d)
    sigma_H, alpha, rho, L = float(family.constants.sigma_H) / np.sqrt(10), 1 / 6, 1.0, 1.0

    def gradient(w, c, b):
        return A * omega * jnp.sin(omega * (w - c)) + b

    def step(w, key):
        task, inner, outer, bend, step_task, step_noise = jax.random.split(key, 6)
        picks = jax.random.randint(task, (replicates, B), 0, tasks)
        c, b, shape = shifts[picks], tilts[picks], (replicates, B, d)
        g = gradient(w[:, None], c, b) + s / np.sqrt(10) * jax.random.normal(inner, shape)
        h = gradient(w[:, None] - alpha * g, c, b) + s / np.sqrt(10) * jax.random.normal(outer, shape)
        z = sigma_H * jax.random.normal(bend, (replicates, B, 1))
        G = h - alpha * (A * omega**2 * jnp.cos(omega * (w[:, None] - c)) + z) * h
        pick = jax.random.randint(step_task, (replicates,), 0, tasks)
        found = gradient(w, shifts[pick], tilts[pick]) + s * jax.random.normal(step_noise, w.shape)
        beta = 1 / (12 * (4 * L + 2 * rho * alpha * jnp.linalg.norm(found, axis=1)))
        return w - beta[:, None] * G.mean(axis=1), None

    keys = jax.random.split(jax.random.key(0, impl=generator), iterations)
    start = jnp.tile(jnp.asarray(family.start), (replicates, 1))
    scan = jax.jit(lambda w: jax.lax.scan(step, w, keys)[0])
    return lambda: scan(start).block_until_ready()
