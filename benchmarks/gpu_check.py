"""The array engine on a GPU: does it agree with NumPy, and what does a task-coordinate cost against NumPy and JAX?

    PYTHONPATH=. python benchmarks/gpu_check.py [FILE.json]

Needs numpy, scipy, pandas, sympy (with mpmath), python-flint, numba and CuPy; JAX is timed where it can be imported.
Exit code 1 where CuPy and NumPy differ by more than 1e-10.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from simulations import Experiment, families, run

AGREEMENT = 1e-10
SIZES = ((16, 32, 65_536, 40), (128, 100, 8_192, 40), (1024, 100, 1_024, 40))
B, REPEATS = 20, 3
BATCHES = {"B": B, "D_in": 10, "D_o": 10, "D_h": 10, "B_step": 1, "D_step": 1}
NUMPY_SHARE = 512


def experiment(engine, d, tasks, replicates, iterations, **more):
    """Every source of noise and the published random step."""
    asked = {**BATCHES, "iterations": iterations, "replicates": replicates, "record_every": iterations, **more}
    return Experiment(families.cosine(d, tasks, sigma=0.1), "1/6", engine=engine, **asked)


def disagreement():
    """The largest relative difference of points after 50 iterations, by method."""
    more = {"method_options": {}, "eps": (1.0,)}
    found = {}
    for method in ("maml", "fo_maml", "hf_maml", "multi_step", "reptile", "imaml"):
        step = {"step": 0.05} if method in ("reptile", "imaml") else {}
        cpu, gpu = (
            run(experiment(name, 16, 32, 64, 50, method=method, **step, **more)).state.points
            for name in ("numpy", "cupy")
        )
        found[method] = float(np.abs(gpu - cpu).max() / np.abs(cpu).max())
    return found


def best(work):
    """Seconds of the fastest of a few calls after one that compiles."""
    work()
    spent = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def jax_run(d, tasks, replicates, iterations, implementation):
    """The same step as a good JAX user writes it: batched, jitted, scanned, float64."""
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

    keys = jax.random.split(jax.random.key(0, impl=implementation), iterations)
    start = jnp.tile(jnp.asarray(family.start), (replicates, 1))
    scan = jax.jit(lambda w: jax.lax.scan(step, w, keys)[0])
    return lambda: scan(start).block_until_ready()


def timings():
    """Nanoseconds per task-coordinate (replicates x iterations x B x d of them) for each size."""
    for d, tasks, replicates, iterations in SIZES:
        count, row = replicates * iterations * B * d, {"d": d, "replicates": replicates, "iterations": iterations}
        gpu = experiment("cupy", d, tasks, replicates, iterations)
        row["cupy"] = 1e9 * best(lambda gpu=gpu: run(gpu)) / count
        few = max(replicates // NUMPY_SHARE, 1)
        cpu = experiment("numpy", d, tasks, few, iterations)
        row["numpy"] = 1e9 * best(lambda cpu=cpu: run(cpu)) / (count * few / replicates)
        try:
            for implementation in ("threefry2x32", "rbg"):
                work = jax_run(d, tasks, replicates, iterations, implementation)
                row[f"jax {implementation}"] = 1e9 * best(work) / count
        except ImportError:
            row["jax"] = "not installed"
        yield row


def main() -> int:
    off, rows = disagreement(), []
    print("largest relative difference of CuPy from NumPy:", {name: f"{x:.1e}" for name, x in off.items()})
    for row in timings():
        rows.append(row)
        print(
            "  ".join(f"{name} {x:.3g}" if isinstance(x, float) else f"{name} {x}" for name, x in row.items()),
            flush=True,
        )
    text = json.dumps({"relative_difference": off, "nanoseconds_per_task_coordinate": rows})
    print(text)
    if sys.argv[1:]:
        with open(sys.argv[1], "w") as file:
            file.write(text)
    return int(max(off.values()) > AGREEMENT)


if __name__ == "__main__":
    sys.exit(main())
