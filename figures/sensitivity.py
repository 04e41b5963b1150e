"""The iterations T against each constant, batch size and alpha in turn, with what (14) allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from figures import Settings, style
from simulations import Experiment, exact, families, run
from simulations.experiment import GUARD
from simulations.family import real
from theory import CLAIMS, OutsideDomain

TITLE = "How the iterations depend on each constant and batch size"
CAPTION = (
    "T, the first iteration at which the mean of ||grad F(w_k)|| over {replicates:g} replicates plus {guard:g} "
    "standard errors is below eps = {eps:g} (dots), on cosine tasks (d = {dim:g}, {tasks:g} tasks) with the published "
    "random step; in each panel one parameter varies and the others stay at the grey line. Squares: what (14) allows "
    "with the published K; triangles: with the sharp one. Where bounds are missing a hypothesis of (14) fails, mostly "
    "because the noise floor is above eps; where dots are missing the run did not pass within the iterations it was "
    "given."
)

_BASE = {
    **{"L": 1.0, "rho": 1.0, "sigma": 0.05, "sigma_tilde": 0.05, "sigma_H": 0.2},
    **{"alpha": 1 / 6, "B": 20, "D_in": 20, "D_o": 20, "D_h": 1},
}
_SHAPE = {"dim": 4, "tasks": 8}
_CONSTANTS = ("L", "rho", "sigma", "sigma_tilde", "sigma_H")
_OF_THE_GAP = ("L", "rho", "sigma", "alpha")
_EPS, _START = 0.2, 0.8
_LABELS = {
    **{"L": "$L$", "rho": r"$\rho$", "sigma": r"$\sigma$", "sigma_tilde": r"$\tilde\sigma$", "sigma_H": r"$\sigma_H$"},
    **{"alpha": r"$\alpha L$", "B": "$B$", "D_in": "$D_{in}$", "D_o": "$D_o$", "D_h": "$D_h$"},
}
_VALUES: dict[str, tuple[float, ...]] = {
    "L": (0.5, 0.7, 1, 1.4, 2, 4),
    "rho": (0.25, 0.5, 1, 2, 4),
    "sigma": (0.0125, 0.025, 0.05, 0.1, 0.2),
    "sigma_tilde": (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4),
    "sigma_H": (0.05, 0.2, 0.8, 3.2),
    "alpha": (1 / 96, 1 / 48, 1 / 24, 1 / 12, 1 / 6),
    "B": (1, 4, 20, 80),
    "D_in": (1, 4, 20, 80),
    "D_o": (1, 4, 20, 80),
    "D_h": (1, 4, 20),
}
_RUNS = {"quick": (16, 20_000), "full": (256, 200_000)}


@dataclass(frozen=True)
class Point:
    """One run: the parameter that varies, its value, all parameters, the experiment."""

    parameter: str
    value: float
    settings: dict[str, float]
    experiment: Experiment


def instances(settings: Settings) -> list[Point]:
    """One point a parameter and value."""
    replicates, iterations = _RUNS[settings.profile]
    points = []
    for parameter, values in _VALUES.items():
        for value in values:
            chosen = {**_BASE, parameter: value}
            if parameter == "L":
                chosen["alpha"] = _BASE["alpha"] / value
            points.append(Point(parameter, value, chosen, _experiment(chosen, replicates, iterations, settings.seed)))
    return points


def _experiment(chosen: dict[str, float], replicates: int, iterations: int, seed: int) -> Experiment:
    constants = {name: chosen[name] for name in _CONSTANTS}
    family = families.cosine(**_SHAPE, **constants, seed=seed)
    wave = constants["rho"] / constants["L"]
    batches = {name: chosen[name] for name in ("B", "D_in", "D_o", "D_h")}
    return Experiment(
        family.started_at(family.start * 0 + _START / wave),
        chosen["alpha"],
        **batches,
        B_step=1,
        D_step=1,
        iterations=iterations,
        replicates=replicates,
        eps=(_EPS,),
        until_passage=True,
        record_every=iterations,
        seed=seed,
    )


def data(instances: list[Point], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Run every point.

    Returns:
        points: parameter, value, T (empty where censored), published, sharp (bounds, empty outside their domain).
        settings: what the caption leaves open.
    """
    rows, gaps = [], {}
    for done, point in enumerate(instances, start=1):
        passage = run(point.experiment).mean_passage.iloc[0]
        T = math.nan if passage["censored"] else float(passage["T"])
        tasks = tuple(point.settings[name] for name in _OF_THE_GAP)
        if tasks not in gaps:
            gaps[tasks] = exact.gap(point.experiment.family, real(point.settings["alpha"]))
        bounds = {which: _allowed(point, gaps[tasks], which) for which in ("published", "sharp")}
        rows.append({"parameter": point.parameter, "value": point.value, "T": T, **bounds})
        progress(done / len(instances))
    settings = {**_SHAPE, "replicates": instances[0].experiment.replicates, "guard": GUARD, "eps": _EPS}
    return {"points": pd.DataFrame(rows), "settings": pd.DataFrame([settings])}


def _allowed(point: Point, gap: float, which: str) -> float:
    """What (14) allows; NaN outside its domain."""
    try:
        values = {**point.settings, "eps": _EPS, "Delta": gap, "B_step": 1, "D_step": 1}
        return CLAIMS["iteration-bound"].evaluate(which, **values)
    except OutsideDomain:
        return math.nan


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """One panel a parameter."""
    points = tables["points"]
    figure, axes = plt.subplots(2, 5, figsize=(style.WIDTH, 4.8), sharey=True)
    for axis, parameter in zip(axes.flat, _VALUES, strict=True):
        panel(axis, points[points["parameter"] == parameter], parameter)
    for axis in axes[:, 0]:
        axis.set_ylabel("iterations T")
    figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def panel(axis: Axes, points: pd.DataFrame, parameter: str) -> Axes:
    """T and its bounds over one parameter, from its rows of the table `points`."""
    by = points["value"]
    axis.plot(by, points["published"], "s:", color=style.PUBLISHED, markersize=4, label="(14), published")
    axis.plot(by, points["sharp"], "^-", color=style.SHARP, markersize=4, label="(14), sharp")
    axis.plot(by, points["T"], "o-", color=style.MEASURED, markersize=4, label="mean of the runs")
    axis.axvline(_BASE[parameter], color=style.FLOOR, linewidth=0.8, zorder=0, label="where the others stay")
    axis.set(xscale="log", yscale="log", xlabel=_LABELS[parameter])
    axis.xaxis.set_major_locator(LogLocator(subs=(1,) if points["value"].max() > 20 else (1, 2, 5)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(axis="x", labelsize=8)
    return axis


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """How far the runs are below the bound, and how T moves with each parameter."""
    points = tables["points"]
    ratio = (points["published"] / points["T"]).dropna()
    found = [("Smallest published bound over T of the run", f"{ratio.min():.3g}")]
    for parameter, rows in points.groupby("parameter", sort=False):
        T = rows["T"].dropna()
        found.append(
            (f"T over the range of {parameter}, smallest to largest value", f"{T.iloc[0]:.0f} to {T.iloc[-1]:.0f}")
        )
    return found


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
