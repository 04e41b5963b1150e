"""A figure to copy: F over the iterations of one run, in as few lines as the contract of figures/__init__.py allows."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from simulations import Experiment, families, run

TITLE = "The objective along a run"
CAPTION = (
    "F(w_k), exact, mean over {replicates:g} replicates of MAML on cosine tasks (d = {dim:g}, {tasks:g} tasks) with "
    "the published random step."
)

_SHAPE = {"dim": 2, "tasks": 4}
_ITERATIONS = {"quick": 50, "full": 500}


def instances(settings: Settings) -> Experiment:
    """The run; a family or experiment that cannot be raises ValueError here, before anything runs."""
    family = families.cosine(**_SHAPE, seed=settings.seed)
    return Experiment(family, "1/10", B=20, D_in=20, iterations=_ITERATIONS[settings.profile], replicates=4)


def data(instances: Experiment, progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Run.

    Returns:
        runs: iteration, objective.
        settings: what the caption leaves open.
    """
    record = run(instances, progress=lambda done, total: progress(done / total)).frame
    means = record.groupby("iteration", as_index=False)["objective"].mean()
    return {"runs": means, "settings": pd.DataFrame([{**_SHAPE, "replicates": instances.replicates}])}


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """One panel."""
    figure, axis = plt.subplots(figsize=(style.TEXT_WIDTH, 3.5))
    panel(axis, tables["runs"])
    return figure


def panel(axis: Axes, runs: pd.DataFrame) -> Axes:
    """F over the iterations on axes of the caller's, from the table `runs`."""
    axis.plot(runs["iteration"], runs["objective"], color=style.MEASURED)
    axis.set(xlabel="iteration k", ylabel=r"$F(w_k)$")
    return axis


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """How far F falls."""
    objective = tables["runs"]["objective"]
    return [("F at the start, at the end", f"{objective.iloc[0]:.4g}, {objective.iloc[-1]:.4g}")]


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
