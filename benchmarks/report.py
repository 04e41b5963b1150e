"""Tables and plots of what was measured: text, CSV and JSON under the output folder."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks import floor, scaling
from benchmarks.cases import Case

MUST = {
    "merged, against the strongest JAX": {2: (8, 15), 16: (8, 15), 128: (15, 22), 1024: (25, 35)},
    "every sample drawn, against JAX with the same draws": {2: (6,), 16: (4,), 128: (12,), 1024: (15,)},
    "merged, time over the measured floor": {2: (4, 2.5), 16: (3, 2), 128: (1.7, 1.3), 1024: (1.4, 1.2)},
}
"""By d: what must be reached, and what we want."""

ENGINE = "mamlbound"


def versions() -> dict[str, str]:
    """Of everything timed, and the machine."""
    found = {"python": platform.python_version(), "machine": _processor()}
    for name in ("numpy", "numba", "jax", "jaxlib", "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def costs(samples: dict[tuple[Case, str, str], list[tuple[float, float]]], draws: dict[str, str]) -> pd.DataFrame:
    """One row a case and variant, nanoseconds a task-coordinate.

    Args:
        samples: by (case, peer, variant), the (wall, CPU) seconds of every run.
        draws: of every variant.
    """
    rows = []
    for (case, peer, variant), spent in samples.items():
        wall, cpu = 1e9 * np.array(spent).T / case.count
        rows.append(
            {"d": case.d, "B": case.B, "tasks": case.tasks, "peer": peer, "variant": variant, "draws": draws[variant]}
            | {"wall_min": wall.min(), "wall_median": np.median(wall)}
            | {"cpu_min": cpu.min(), "cpu_median": np.median(cpu), "runs": len(spent)}
        )
    return pd.DataFrame(rows)


def ratios(table: pd.DataFrame, primitives: dict[str, float], cores: int) -> pd.DataFrame:
    """The figures of MUST, one row a figure and d, from the fastest runs; the floor is spread over all cores."""
    rows = []
    for d, here in table.groupby("d"):
        ours = here[here["peer"].str.startswith(ENGINE)].set_index("draws")
        jax = here[here["peer"].str.startswith("jax")].set_index("variant")
        found = {}
        if "merged" in ours.index:
            least = floor.bound(primitives, "merged")
            times = (ours.loc["merged", "wall_min"] * cores / least, ours.loc["merged", "cpu_min"] / least)
            found["merged, time over the measured floor"] = *times, "floor"
        for figure, draws, wanted in (
            ("merged, against the strongest JAX", "merged", "all"),
            ("merged, against the strongest JAX that merges too", "merged", "merged"),
            ("every sample drawn, against JAX with the same draws", "all", "all"),
        ):
            rivals = jax[jax["draws"] == wanted]
            for own, group in rivals.groupby(rivals.index.str.contains("engine's formulas")):
                best = group.loc[group["wall_min"].idxmin()]
                if draws in ours.index:
                    name = figure + (", with the engine's formulas" if own else "")
                    times = (best[kind] / ours.loc[draws, kind] for kind in ("wall_min", "cpu_min"))
                    found[name] = *times, best.name
        for figure, (wall, cpu, against) in found.items():
            must, *want = MUST.get(figure, {}).get(d, (np.nan,))
            row = {"figure": figure, "d": d, "wall ratio": wall, "CPU ratio": cpu, "against": against, "must": must}
            rows.append(row | {"want": want[0] if want else np.nan})
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame, title: str) -> Table:
    """A table for the console."""
    out = Table(title=title)
    for name in table.columns:
        out.add_column(name, justify="right" if pd.api.types.is_numeric_dtype(table[name]) else "left")
    for row in table.itertuples(index=False):
        out.add_row(*("" if x != x else f"{x:.3g}" if isinstance(x, float) else str(x) for x in row))
    return out


def write(folder: Path, tables: dict[str, pd.DataFrame], facts: dict) -> None:
    """Each table as CSV, all of it as JSON, and as text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    everything = facts | {name: table.to_dict("records") for name, table in tables.items()}
    (folder / "bench.json").write_text(json.dumps(everything, indent=1))
    with (folder / "bench.txt").open("w") as file:
        show(Console(file=file, width=160), tables, facts)


def show(console: Console, tables: dict[str, pd.DataFrame], facts: dict) -> None:
    """Facts and tables as text."""
    for name, fact in facts.items():
        console.print(f"{name}: {fact}")
    for name, table in tables.items():
        console.print(shown(table, name))


def plot(folder: Path, table: pd.DataFrame) -> None:
    """Time against d, B, R and T, with the fitted exponents.

    Args:
        folder: where scaling.svg goes.
        table: columns variant, number, value, seconds.
    """
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullLocator

    figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), sharey=True, layout="constrained")
    for axis, (name, here) in zip(axes, table.groupby("number"), strict=True):
        for variant, points in here.groupby("variant"):
            pairs = list(zip(points["value"], points["seconds"], strict=True))
            axis.loglog(points["value"], points["seconds"], "o-", label=f"{variant}: {scaling.exponent(pairs):.3f}")
        axis.set_xlabel(name)
        axis.set_xticks(sorted(set(here["value"])), sorted(set(here["value"])))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.legend(title="exponent", fontsize=8)
    axes[0].set_ylabel("seconds of wall time, fastest run")
    figure.savefig(folder / "scaling.svg")
    plt.close(figure)
