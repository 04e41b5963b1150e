"""Wall and CPU time of the engine per task-coordinate (replicates x iterations x B x d of them): `make bench`.

Best of several runs, interleaved over the sizes so that a busy moment of the machine does not fall on one of them.
"""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table

from simulations import Experiment, families, run

SIZES = ((2, 20, 10, 2000), (16, 20, 32, 500), (128, 20, 100, 60), (1024, 40, 100, 8))
REPLICATES = 64
REPEATS = 5


def experiment(d: int, B: int, tasks: int, iterations: int) -> Experiment:
    """Every noise source, a fresh batch for the step, exact norms every 50 iterations."""
    family = families.cosine(d, tasks, sigma=0.1)
    batches = {"B": B, "D_in": 10, "D_o": 10, "D_h": 10, "B_step": 1, "D_step": 1}
    return Experiment(family, "1/6", **batches, iterations=iterations, replicates=REPLICATES, record_every=50)


def main() -> None:
    experiments = [experiment(*size) for size in SIZES]
    best = [(float("inf"), float("inf"))] * len(SIZES)
    for repeat in range(REPEATS + 1):
        for i, each in enumerate(experiments):
            wall, cpu = time.perf_counter(), time.process_time()
            run(each)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            if repeat:
                best[i] = min(best[i], spent)
    table = Table("d", "B", "tasks", "wall ns", "CPU ns", title="per task-coordinate")
    for (d, B, tasks, iterations), spent in zip(SIZES, best, strict=True):
        count = REPLICATES * iterations * B * d
        table.add_row(*map(str, (d, B, tasks)), *(f"{1e9 * seconds / count:.1f}" for seconds in spent))
    Console().print(table)


if __name__ == "__main__":
    main()
