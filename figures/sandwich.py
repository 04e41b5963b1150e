"""The constant K of (14): what is published, what is proved, and what instances need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from simulations import Experiment, exact, families, run
from theory import CLAIMS
from theory.sharpening import LADDER

TITLE = "The constant K of the iteration bound (14), from above and from below"
CAPTION = (
    "K of T <= K Delta (L + rho alpha (sigma + eps))/eps^2. Square: published; diamonds: the published route, step by "
    "step repaired; triangles upwards: sharp, each with a replayed proof; triangles downwards: proved lower bounds; "
    "dots: the K that runs on a resisting ramp needed, for the eps written beside them. Rows of the exact step "
    "concern the published rule with exact norms and exact oracles, rows of the random step the published rule as it "
    "is. An upper bound below a lower one of the same step would be a contradiction."
)

_VERSIONS = {
    "published": ("(14) as published", "published"),
    "jensen": ("FMO (107) repaired by convexity", "repaired"),
    "half": ("and nothing rounded", "repaired"),
    "same-floor": ("and no more than the floor needs", "repaired"),
    "sharp": ("over the law of the random step", "sharp"),
}
_LEGEND = {"lower": "proved lower bound", "measured": "needed by a run"}
_EXACT_STEP = ("exact step, published S", "exact step, sharp S")
_SLOPE = 1.02
_DIM = 16
_TARGETS = {"quick": (0.1, 0.03), "full": (0.1, 0.03, 0.01)}


@dataclass(frozen=True)
class Instances:
    """The rungs of the ladder to show, and the runs by (step, eps)."""

    rungs: tuple[str, ...]
    runs: dict[tuple[str, float], Experiment]


def instances(settings: Settings) -> Instances:
    """The quick profile asks for the rungs that take seconds, the full one for all."""
    runs = {(step, eps): _run(step, eps, settings.seed) for eps in _TARGETS[settings.profile] for step in _RULES}
    return Instances(_EXACT_STEP if settings.profile == "quick" else tuple(LADDER), runs)


def _run(step: str, eps: float, seed: int) -> Experiment:
    """A ramp; for the random step with noise that hardly touches it and makes L~ as large as D_step allows."""
    noise = {"sigma_tilde": _CONSTANTS["L"] / (2 * _CONSTANTS["rho"] * _ALPHA)} if step == "random" else {}
    law = {"noise": "rademacher"} if noise else {}
    family = families.resisting_ramp(eps, _SLOPE, **_CONSTANTS, **noise, dim=_DIM, **law)
    cap = int(100 / eps**2)
    rule = {"step": "published", "B_step": 1, "D_step": 1, "replicates": _REPLICATES} if noise else {"step": "exact"}
    return Experiment(
        family, _ALPHA, iterations=cap, eps=(eps,), until_passage=True, record_every=cap, seed=seed, **rule
    )


_CONSTANTS = {"L": 1.0, "rho": 1.0}
_ALPHA = 1 / 6
_RULES = ("exact", "random")
_REPLICATES = 8


def data(instances: Instances, progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Ask the claims, the ladder and the runs.

    Returns:
        bounds: what, step (published, exact, random or other), kind (a key of style.MARKS), K, eps (of runs, else nan).
    """
    bound = CLAIMS["iteration-bound"]
    rows = [_row(what, "random", kind, bound.constants(which)["K"]) for which, (what, kind) in _VERSIONS.items()]
    for rule in _RULES:
        lower = CLAIMS[f"iteration-bound-lower-{rule}"].sharp["cL"]
        rows.append(_row(f"lower bound, {rule} step", rule, "lower", lower))
    total = len(instances.rungs) + len(instances.runs)
    for done, title in enumerate(instances.rungs, start=1):
        rung = LADDER[title]
        if not rung.lower:
            rows.append(_row(title, "exact" if title in _EXACT_STEP else "other", "sharp", rung.show().K))
        progress(done / total)
    for done, ((step, eps), experiment) in enumerate(instances.runs.items(), start=len(instances.rungs) + 1):
        rows.append(_row(f"ramp, {step} step", step, "measured", _needed(experiment, eps), eps))
        progress(done / total)
    return {"bounds": pd.DataFrame(rows)}


def _row(what: str, step: str, kind: str, K: object, eps: float = np.nan) -> dict:
    return {"what": what, "step": step, "kind": kind, "K": float(K), "eps": eps}


def _needed(experiment: Experiment, eps: float) -> float:
    """The K for which (14) holds with equality on this run; the bound is linear in K."""
    family, constants = experiment.family, experiment.family.constants
    T = run(experiment).mean_passage["T"].iloc[0]
    least = CLAIMS["iteration-bound"].constants("published")["K"]
    noise = {"sigma": 0, "sigma_tilde": constants.sigma_tilde, "sigma_H": 0}
    batches = dict.fromkeys(("B", "D_in", "D_o", "D_h"), np.inf)
    values = {"L": constants.L, "rho": constants.rho, "alpha": experiment.alpha, "eps": eps, **noise, **batches}
    steps = {"B_step": experiment.B_step or np.inf, "D_step": experiment.D_step or np.inf}
    allowed = CLAIMS["iteration-bound"].evaluate(**values, **steps, Delta=exact.gap(family, experiment.alpha))
    return float(least) * T / allowed


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """All of them in one column, on a logarithmic axis, largest first."""
    bounds = tables["bounds"]
    figure, axis = plt.subplots(figsize=(style.TEXT_WIDTH, 1.2 + 0.24 * len(bounds)))
    ladder(bounds, axis)
    return figure


def ladder(bounds: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the ladder on axes of the caller's, from the table of `data`."""
    rows = bounds.sort_values(["K", "what"], ascending=False).reset_index(drop=True)
    for kind, marks in rows.groupby("kind"):
        ax.plot(
            marks["K"],
            marks.index,
            style.MARKS[kind],
            color=style.COLOURS[kind],
            markersize=6,
            label=_LEGEND.get(kind, kind),
        )
    for place, row in rows.iterrows():
        ax.annotate(f"{row['K']:.5g}", (row["K"], place), (7, 0), textcoords="offset points", va="center", fontsize=8)
    named = [row.what if np.isnan(row.eps) else rf"{row.what}, $\epsilon$ = {row.eps:g}" for row in rows.itertuples()]
    ax.set_yticks(range(len(rows)), named, fontsize=8)
    ax.set(xscale="log", xlabel="K", ylim=(len(rows) - 0.4, -0.6))
    ax.set_xlim(rows["K"].min() / 1.15, rows["K"].max() * 1.6)
    style.honest_decades(ax)
    ax.legend(loc="lower right")
    return ax


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Both sides of the sandwich, for each step."""
    bounds = tables["bounds"]
    found = []
    for step in _RULES:
        mine = bounds[bounds["step"] == step].groupby("kind")["K"].agg(["min", "max"])
        found.append(
            (
                f"K with the {step} step: largest seen, proved below, proved above",
                f"{mine.loc['measured', 'max']:.4g}, {mine.loc['lower', 'max']:.4g}, {mine.loc['sharp', 'min']:.5g}",
            )
        )
    published = bounds.loc[bounds["kind"] == "published", "K"].iloc[0]
    sharp = bounds[(bounds["step"] == "random") & (bounds["kind"] == "sharp")]["K"].min()
    return [*found, ("Published K over sharp K, random step", f"{published / sharp:.2f}")]
