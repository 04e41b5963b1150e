"""What breaks when a hypothesis is left behind: left over right side, by how many times its edge is passed."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from simulations.verdicts import hypotheses
from theory import CLAIMS

TITLE = "What breaks without each hypothesis"
CAPTION = (
    "Each panel leaves one hypothesis of the published claims behind and keeps all others; the horizontal axis says "
    "how many times its edge is passed (alpha over its largest value, the least batch size or eps over the one "
    "taken). The vertical axis is the largest left over right side among the instances tried there, exact; a claim "
    "fails where its line is above 1 (grey), and lines leave the picture where the ratio does. The line of (14) falls "
    "where its slowest runs are too long to follow. Lines that stay below 1 show no more than that no instance "
    "failed."
)

_LOW, _HIGH = 1e-2, 30.0
_OUTSIDE = 1e3 * _HIGH
_PANELS = {
    "alpha": r"$\alpha$ beyond its largest",
    "B": "$B$ below 20",
    "D_h": r"$D_h$ below $2\alpha^2\sigma_H^2$",
    "B_step": r"$B'$ below $(\rho\alpha\sigma/L)^2/2$",
    "D_step": r"$D_\beta$ below $(2\rho\alpha\tilde\sigma/L)^2$",
    "eps": r"$\epsilon$ below its floor",
}
_LOOKS = {
    "bias": ("bias", style.BLUE, "x"),
    "first-moment": ("(7)", style.ORANGE, "s"),
    "second-moment": ("(8)", style.RED, "D"),
    "smoothness": ("smoothness", style.PURPLE, "v"),
    "descent-lemma": ("(9)", style.GREY, "P"),
    "gradient-relation": ("gradient relation", style.SKY, "*"),
    "expected-decrease": ("(11)", style.GREEN, "o"),
    "telescoped": ("(13)", style.YELLOW, "^"),
    "iteration-bound": ("(14)", style.BLACK, "h"),
    "step-size-mean": (r"$\mathbb{E}\tilde\beta$", style.BLUE, "<"),
    "step-size-moments": (r"$\mathbb{E}\tilde\beta^2$", style.PURPLE, ">"),
    "fo-maml-rate": ("FO-MAML's rate", style.ORANGE, "d"),
}
"""No two claims of one panel have a colour in common."""


def instances(settings: Settings) -> tuple[hypotheses.Study, ...]:
    """The studies of the published versions; in the full profile of the sharp ones as well."""
    full = settings.profile == "full"
    return tuple(study for study in hypotheses.STUDIES if full or study.version == "published")


def data(instances: tuple[hypotheses.Study, ...], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Decide every cell.

    Returns:
        cells: as `simulations.verdicts.hypotheses.table`.
        nearest: as its `summary`.
    """
    cells = hypotheses.table(instances, lambda done, total: progress(done / total))
    return {"cells": cells, "nearest": hypotheses.summary(cells)}


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """One panel a hypothesis."""
    cells = tables["cells"]
    cells = cells[cells["version"] == "published"]
    layout = [["alpha", "alpha", "B", "eps"], ["D_h", "B_step", "D_step", "legend"]]
    figure, axes = plt.subplot_mosaic(layout, figsize=(style.WIDTH, 5.6))
    for dropped, title in _PANELS.items():
        panel(axes[dropped], cells[cells["hypothesis"] == dropped]).set_title(title)
    for name in ("alpha", "B"):
        style.honest_decades(axes[name])
    for name in ("alpha", "D_h"):
        axes[name].set_ylabel("left over right side")
    axes["legend"].axis("off")
    lines = {line.get_label(): line for axis in axes.values() for line in axis.lines}
    axes["legend"].legend(lines.values(), lines, loc="center", fontsize=8)
    figure.supxlabel("times past the edge", fontsize=10)
    return figure


def panel(axis: Axes, cells: pd.DataFrame) -> Axes:
    """The claims of one hypothesis, from rows of the table `cells`."""
    for claim, rows in cells.groupby("claim", sort=False):
        worst = rows.groupby("beyond")["ratio"].max().dropna().clip(upper=_OUTSIDE)
        label, colour, mark = _LOOKS[claim]
        dash = "--" if claim == "telescoped" else "-"
        axis.plot(worst.index, worst, dash, color=colour, marker=mark, markersize=4, markevery=0.12, label=label)
    axis.axhspan(1, _HIGH, color="#eeeeee", zorder=0)
    axis.set(xscale="log", yscale="log", ylim=(_LOW, _HIGH))
    return axis


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Where each published claim was first seen to fail."""
    nearest = tables["nearest"]
    rows = nearest[nearest["version"] == "published"]
    return [
        (
            f"{CLAIMS[row.claim].equation or row.claim} without the bound on {row.hypothesis}",
            f"fails at {row.beyond:.3g} times the edge, alpha L = {row.alpha_L:.3g}"
            if row.fails
            else f"not seen to fail in {row.tried} cells, up to {row.beyond:.3g} times the edge",
        )
        for row in rows.itertuples()
    ]
