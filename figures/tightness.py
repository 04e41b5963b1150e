"""How tight the published constants are: the share of each that the worst instance on file uses up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from simulations.verdicts import judged
from simulations.verdicts.cuts import share
from simulations.verdicts.hypotheses import Study, flattest, spiked
from simulations.verdicts.worst import Worst, worst_cases
from theory import CLAIMS

TITLE = "How much of each published constant an instance uses up"
CAPTION = (
    "Left: left over right side of (7) and (8) on the instances made for them, a task with a spike and a task at its "
    "flattest point, over alpha L up to {edge:.4g}; with the sharp constants (solid, one line upon the other) both "
    "are reached, with the published ones (dotted) a little is left. Right: for each published constant the largest "
    "share that search has found an instance to use up, all other constants as they are (squares), and the share of "
    "the sharp constant there (triangles), where the sharp version has one of that name. At 1 a constant cannot be "
    "smaller. All values are exact."
)

_STEPS = {"quick": 9, "full": 33}
_LINES = {"first-moment": style.ORANGE, "second-moment": style.RED}


def instances(settings: Settings) -> tuple[int, list[Worst]]:
    """How many inner steps alpha, and the cases on file; the runs among them only in the full profile."""
    full = settings.profile == "full"
    return _STEPS[settings.profile], [case for case in worst_cases() if full or case.cell.eps is None]


def data(instances: tuple[int, list[Worst]], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Decide every cell.

    Returns:
        shares: claim, constant, instance, published, sharp (NaN where there is none).
        ratios: claim, version, alpha_L, ratio.
    """
    steps, cases = instances
    ratios = _ratios(np.linspace(0.02, 1, steps))
    shares = []
    for done, case in enumerate(cases, start=1):
        shares.append(_shares(case))
        progress(done / len(cases))
    return {"shares": pd.DataFrame(shares), "ratios": ratios}


def _ratios(shares_of_edge: np.ndarray) -> pd.DataFrame:
    rows = []
    for claim, cells in (("first-moment", spiked), ("second-moment", flattest)):
        for version in ("published", "sharp"):
            for _, _, cell in cells(Study("alpha", claim, version, cells), shares_of_edge):
                a = float(cell.inner_step)
                rows.append({"claim": claim, "version": version, "alpha_L": a, "ratio": judged(cell).ratio})
    return pd.DataFrame(rows)


def _shares(case: Worst) -> dict[str, object]:
    shares = {"published": case.share, "sharp": np.nan}
    if case.constant in CLAIMS[case.claim].versions["sharp"].constants:
        shares["sharp"] = share(judged(replace(case.cell, version="sharp")), case.constant)
    return {"claim": case.claim, "constant": case.constant, "instance": case.cell.family.name, **shares}


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """The two inequalities, and all constants."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 6.4), width_ratios=(1, 1.25))
    inequalities(left, tables["ratios"])
    constants(right, tables["shares"])
    return figure


def inequalities(axis: Axes, ratios: pd.DataFrame) -> Axes:
    """(7) and (8) over alpha L, from the table `ratios`."""
    for (claim, version), line in ratios.groupby(["claim", "version"]):
        dash, mark = ("-", "^") if version == "sharp" else (":", "s")
        label = f"{CLAIMS[claim].equation} {version}"
        axis.plot(line["alpha_L"], line["ratio"], dash, marker=mark, markersize=4, color=_LINES[claim], label=label)
    axis.set(xlabel=r"$\alpha L$", ylabel="left over right side", ylim=(0, 1.05), title="(7) and (8), worst instances")
    axis.legend()
    return axis


def constants(axis: Axes, shares: pd.DataFrame) -> Axes:
    """One row a constant, from the table `shares`."""
    rows = shares.sort_values("published", ignore_index=True)
    axis.plot(rows["published"], rows.index, "s", color=style.RED, markersize=5, label="of the published constant")
    axis.plot(rows["sharp"], rows.index, "^", color=style.GREEN, markersize=5, label="of the sharp constant")
    axis.set_yticks(rows.index, [f"{row.claim}, {row.constant}" for row in rows.itertuples()], fontsize=7)
    axis.set(xlabel="share used up", xlim=(-0.03, 1.05), ylim=(-1, len(rows)), title="Published constants")
    axis.legend(loc="lower right")
    return axis


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """The shares, largest first."""
    rows = tables["shares"].sort_values("published", ascending=False)
    return [(f"{row.claim}, {row.constant}: share used up", f"{row.published:.4f}") for row in rows.itertuples()]


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return {"edge": tables["ratios"]["alpha_L"].max()}
