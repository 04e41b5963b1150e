"""The array engine on a GPU: does it agree with NumPy, and what does a task-coordinate cost against JAX on that card?

    PYTHONPATH=. python benchmarks/gpu_check.py [--json FILE] [--sizes 2,16] [--iterations N] [--unfused] [--kernels]
        [--skip agreement,jax,run]

Needs numpy, scipy, pandas, sympy (with mpmath), python-flint, numba and CuPy; JAX is timed where it can be imported.
Exit code 1 where CuPy and NumPy differ by more than 1e-10.

--unfused: time one pass over memory for each block too. --kernels: microseconds of each kernel of an iteration.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import numpy as np

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from benchmarks import gpu_jax
from simulations import Experiment, engine_array, families, run
from simulations.fused import program, replay

AGREEMENT = 1e-10
SIZES = {2: (10, 524_288), 16: (32, 65_536), 128: (100, 8_192), 1024: (100, 1_024)}
B, REPEATS = 20, 3
BATCHES = {"B": B, "D_in": 10, "D_o": 10, "D_h": 10, "B_step": 1, "D_step": 1}
METHODS = ("maml", "fo_maml", "hf_maml", "multi_step", "reptile", "imaml")
SMALL = (16, 8)


def experiment(engine, d, tasks, replicates, iterations, **more):
    """Every source of noise and the published random step."""
    asked = {**BATCHES, "iterations": iterations, "replicates": replicates, "record_every": iterations, **more}
    return Experiment(families.cosine(d, tasks, sigma=0.1), "1/6", engine=engine, **asked)


def disagreement():
    """The largest relative difference of points after 50 iterations: all methods, and MAML with odd and long rows."""
    cases = {method: (method, 16) for method in METHODS} | {"maml, d = 3": ("maml", 3), "maml, d = 130": ("maml", 130)}
    cases["maml, merged"] = ("maml", 16)
    for name, (method, d) in cases.items():
        step = {"step": 0.05} if method in ("reptile", "imaml") else {}
        draws = {"draws": "merged"} if name.endswith("merged") else {}
        more = {"method": method, "method_options": {}, "eps": (1.0,), **step, **draws}
        start = time.perf_counter()
        cpu, gpu = (run(experiment(engine, d, 32, 64, 50, **more)).state.points for engine in ("numpy", "cupy"))
        off = float(np.abs(gpu - cpu).max() / np.abs(cpu).max())
        print(
            f"{name}: relative difference of CuPy from NumPy {off:.1e}, {time.perf_counter() - start:.1f} s", flush=True
        )
        yield name, off if np.isfinite(off) else np.inf


def best(work):
    """Seconds of the fastest of a few calls after one that compiles."""
    work()
    spent = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def engine_call(asked, unfused=False):
    """Iterations 1, 2, ... of an experiment by the engine alone: a function that runs them, and the engine."""
    if unfused:
        engine_array.fusible = lambda family: False
    engine = engine_array.engine(asked.engine, asked.family, asked.plan())
    if isinstance(engine, replay.Programs) == unfused:
        raise SystemExit("the engine runs another way than it is timed for")
    points = np.tile(asked.family.start, (asked.replicates, 1))
    scheduled = np.full(asked.iterations - 1, np.nan)
    return lambda: engine(points.copy(), scheduled, 1, 1, np.full(asked.replicates, -1)), engine


def kernels(asked):
    """Microseconds of each kernel of a plain iteration, and its threads."""
    import cupy as cp

    _, engine = engine_call(asked)
    made, count = engine.program(1), asked.replicates
    state = replay._Replay(engine, 0, count)
    w = cp.asarray(np.tile(asked.family.start, (count, 1)))
    state(1, 0.1, w, cp.full(count, -1), {})
    found = []
    for source, launch in zip(made.sources, state.bound[next(iter(state.bound))].launches, strict=True):
        begin, end = cp.cuda.Event(), cp.cuda.Event()
        begin.record()
        for _ in range(20):
            launch.kernel(launch.grid, (program.THREADS,), tuple(launch.given))
        end.record()
        end.synchronize()
        total = source.threads * (count if source.each else 1)
        found.append((1000 * cp.cuda.get_elapsed_time(begin, end) / 20, total, launch.kernel.num_regs))
    return found


def timings(asked):
    """Nanoseconds per task-coordinate (replicates x iterations x B x d of them) for each size."""
    for d in asked.sizes:
        tasks, replicates = SIZES[d]
        count, row = replicates * (asked.iterations - 1) * B * d, {"d": d, "replicates": replicates}
        gpu = experiment("cupy", d, tasks, replicates, asked.iterations)
        row["CuPy engine"] = 1e9 * best(engine_call(gpu)[0]) / count
        if "run" not in asked.skip:
            row["CuPy run()"] = 1e9 * best(lambda gpu=gpu: run(gpu)) / count
        merged = experiment("cupy", d, tasks, replicates, asked.iterations, draws="merged")
        row["CuPy engine, merged"] = 1e9 * best(engine_call(merged)[0]) / count
        if asked.kernels:
            for each in kernels(gpu):
                print("    kernel: {:.1f} us, {} threads, {} registers".format(*each))
        free()
        if "jax" not in asked.skip:
            row |= gpu_jax.timed(best, d, tasks, replicates, asked.iterations - 1, B, count)
        yield row


def free():
    """Gives CuPy's unused memory back."""
    import cupy as cp

    cp.get_default_memory_pool().free_all_blocks()


def unfused(asked):
    """Nanoseconds per task-coordinate with one pass over memory for each block; last, as it turns fusing off."""
    for d in asked.sizes:
        tasks, replicates = SIZES[d]
        gpu = experiment("cupy", d, tasks, replicates, 11)
        yield {"d": d, "CuPy unfused": 1e9 * best(engine_call(gpu, True)[0]) / (replicates * 10 * B * d)}


def overhead():
    """Microseconds of an iteration that is too small to fill the card: what Python and launches take."""
    work, _ = engine_call(experiment("cupy", SMALL[0], 32, SMALL[1], 1001))
    return 1e6 * best(work) / 1000


def table(rows):
    """Rows of names and numbers as lines of text."""
    for row in rows:
        cells = (f"{name} {x:.4f}" if isinstance(x, float) else f"{name} {x}" for name, x in row.items())
        print("  ".join(cells), flush=True)
        yield row


def arguments():
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--sizes", type=lambda text: [int(d) for d in text.split(",")], default=list(SIZES))
    parser.add_argument("--iterations", type=int, default=201)
    parser.add_argument("--unfused", action="store_true")
    parser.add_argument("--kernels", action="store_true")
    parser.add_argument("--skip", type=lambda text: text.split(","), default=[])
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    off = dict(disagreement()) if "agreement" not in asked.skip else {}
    print("nanoseconds per task-coordinate, float64:")
    rows = list(table(timings(asked)))
    small = overhead()
    print(f"an iteration of {SMALL[1]} replicates, d = {SMALL[0]}: {small:.0f} us")
    rows += list(table(unfused(asked))) if asked.unfused else []
    text = json.dumps({"relative_difference": off, "nanoseconds_per_task_coordinate": rows, "small_us": small})
    print(text)
    if asked.json:
        with open(asked.json, "w") as file:
            file.write(text)
    return int(max(off.values(), default=0.0) > AGREEMENT)


if __name__ == "__main__":
    sys.exit(main())
