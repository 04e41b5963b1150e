"""F along a run under the line (13), and the decrease of one step against (11)."""

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
from simulations.experiment import GUARD
from theory import CLAIMS
from theory.claim import Claim

TITLE = "Descent: F along a run, and what one step takes off it"
CAPTION = (
    "Cosine tasks (d = {dim:g}, {tasks:g} tasks, alpha L = {a:.3g}, B = D_in = D_o = {B:g}) under Algorithm 1 with "
    "the published random step; F and grad F are exact. Left: how far F has fallen after k steps, mean over "
    "{replicates:g} replicates with a band of {guard:g} standard errors, mostly thinner than the line, until the mean "
    "of ||grad F|| reaches eps = {eps:.3g}, just above the noise floor; below it what (13) promises for this eps, "
    "published and sharp. Right: the mean decrease of F in one step over the mean of ||grad F(w_k)||, averaged over "
    "{window:g} steps, with bars of {guard:g} standard errors, and what (11) promises there for an eps of that size. "
    "A run below its promise would be a contradiction."
)

_CONSTANTS = {"L": 1.0, "rho": 1.0, "sigma": 0.05, "sigma_tilde": 0.05, "sigma_H": 0.2}
_SHAPE = {"dim": 16, "tasks": 32}
_BATCHES = {"B": 20, "D_in": 20, "D_o": 20, "D_h": 1, "B_step": 1, "D_step": 1}
_ALPHA = 1 / 6
_ABOVE = 1.05
_RUNS = {"quick": 32, "full": 256}
_ITERATIONS, _WINDOWS = 3000, 24
_VERSIONS = ("published", "sharp")


@dataclass(frozen=True)
class Instance:
    """The run, and eps just above its noise floor."""

    experiment: Experiment
    eps: float


def instances(settings: Settings) -> Instance:
    """The run.

    Raises:
        ValueError: constants no cosine family has, or noise above the slopes there are.
    """
    constants = _CONSTANTS | {name: float(x) for name, x in settings.constants.items() if name in _CONSTANTS}
    family = families.cosine(**_SHAPE, **constants, seed=settings.seed)
    alpha = _ALPHA / constants["L"]
    eps = _ABOVE * _lowest(CLAIMS["telescoped"], {**constants, "alpha": alpha, **_BATCHES})
    if eps > np.linalg.norm(exact.meta_gradient(family, family.start, alpha)):
        raise ValueError(f"the noise floor of these constants, {eps:.3g}, is above ||grad F(w_0)||: take less noise")
    sizes = {"iterations": _ITERATIONS, "replicates": _RUNS[settings.profile]}
    stop = {"eps": (eps,), "until_passage": True, "record_every": 1, "seed": settings.seed}
    return Instance(Experiment(family, alpha, **_BATCHES, **sizes, **stop), eps)


def _lowest(claim: Claim, values: dict[str, float]) -> float:
    """The least eps a claim speaks of."""
    (bound,) = (h.relation.rhs for h in claim.domain if str(h.relation.lhs) == "eps")
    return float(bound.subs({symbol: values[symbol.name] for symbol in bound.free_symbols}))


def data(instances: Instance, progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Run, and ask the claims.

    Returns:
        runs: k, F and its standard_error, allowed_published, allowed_sharp.
        steps: grad_norm, decrease, standard_error, published, sharp.
        settings: what the caption leaves open.
    """
    experiment, eps = instances.experiment, instances.eps
    record = run(experiment, progress=lambda done, total: progress(done / total)).frame
    F = record.pivot(index="iteration", columns="replicate", values="objective")
    norms = record.pivot(index="iteration", columns="replicate", values="grad_norm").mean(axis=1)
    F = F.loc[: norms.index[norms < eps][0] if (norms < eps).any() else F.index[-1]]
    values = {**experiment.family.constants.keywords(), "alpha": experiment.alpha, **_BATCHES}
    values = {name: value for name, value in values.items() if name != "Delta"}
    settings = {**_SHAPE, "a": _ALPHA, "B": _BATCHES["B"], "replicates": experiment.replicates, "guard": GUARD}
    settings |= {"eps": eps, "window": _window(F)}
    return {
        "runs": _under(F, values, eps),
        "steps": _steps(F, norms, values, eps),
        "settings": pd.DataFrame([settings]),
    }


def _window(F: pd.DataFrame) -> int:
    return max(1, (len(F) - 1) // _WINDOWS)


def _error(values: pd.DataFrame) -> pd.Series:
    return values.std(axis=1) / np.sqrt(values.shape[1])


def _under(F: pd.DataFrame, values: dict, eps: float) -> pd.DataFrame:
    rows = pd.DataFrame({"k": F.index, "F": F.mean(axis=1), "standard_error": _error(F)}).reset_index(drop=True)
    for which in _VERSIONS:
        promise = CLAIMS["telescoped"].evaluate(which, **values, eps=eps, T=1, best_grad=eps)
        rows[f"allowed_{which}"] = rows["F"].iloc[0] - promise * rows["k"]
    return rows


def _steps(F: pd.DataFrame, norms: pd.Series, values: dict, eps: float) -> pd.DataFrame:
    """Windows of steps: (11) holds of every step, so of their mean for the smallest norm among them."""
    window, rows = _window(F), []
    for first in F.index[:-window:window]:
        taken = (F.loc[first] - F.loc[first + window]) / window
        size = norms.loc[first : first + window - 1].min()
        if size < eps:
            continue
        asked = {**values, "eps": size, "mean_grad_F": size}
        promised = {which: CLAIMS["expected-decrease"].evaluate(which, **asked) for which in _VERSIONS}
        error = taken.std() / np.sqrt(len(taken))
        rows.append({"grad_norm": size, "decrease": taken.mean(), "standard_error": error, **promised})
    return pd.DataFrame(rows)


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """The run, and its steps."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 4))
    along(left, tables["runs"], tables["settings"]["guard"].iloc[0])
    one_step(right, tables["steps"], tables["settings"]["guard"].iloc[0])
    return figure


def along(axis: Axes, runs: pd.DataFrame, guard: float) -> Axes:
    """How far F has fallen over the iterations, from the table `runs`; the band is so many standard errors."""
    rows, start = runs[runs["k"] > 0], runs["F"].iloc[0]
    marked = [int(place) for place in np.geomspace(1, len(rows), 6) - 1]
    room = guard * rows["standard_error"]
    axis.fill_between(rows["k"], start - rows["F"] - room, start - rows["F"] + room, color=style.MEASURED, alpha=0.3)
    look = {"color": style.MEASURED, "marker": style.MARKS["measured"], "markersize": 4, "markevery": marked}
    axis.plot(rows["k"], start - rows["F"], label="mean of the runs", **look)
    for which in reversed(_VERSIONS):
        look = {"color": style.COLOURS[which], "marker": style.MARKS[which], "markersize": 4, "markevery": marked}
        axis.plot(rows["k"], start - rows[f"allowed_{which}"], label=f"(13), {which}", **look)
    axis.set(xscale="log", yscale="log", xlabel="iteration k", title="Along the run")
    axis.set_ylabel(r"$F(w_0) - \mathbb{E}F(w_k)$")
    style.honest_decades(axis)
    axis.legend()
    return axis


def one_step(axis: Axes, steps: pd.DataFrame, guard: float) -> Axes:
    """The decrease of one step over ||grad F||, from the table `steps`."""
    rows = steps.sort_values("grad_norm")
    bars = guard * rows["standard_error"]
    look = {"color": style.MEASURED, "fmt": style.MARKS["measured"], "markersize": 4, "elinewidth": 1}
    axis.errorbar(rows["grad_norm"], rows["decrease"], bars, label="mean of the runs", **look)
    for which in reversed(_VERSIONS):
        look = {"color": style.COLOURS[which], "marker": style.MARKS[which], "markersize": 4}
        axis.plot(rows["grad_norm"], rows[which], label=f"(11), {which}", markevery=4, **look)
    axis.set(xscale="log", yscale="log", xlabel=r"$\mathbb{E}\|\nabla F(w_k)\|$", title="One step")
    axis.set_ylabel(r"$\mathbb{E}[F(w_k) - F(w_{k+1})]$")
    style.honest_decades(axis)
    axis.legend()
    return axis


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """How much more the runs take off than is promised."""
    steps, runs = tables["steps"], tables["runs"]
    last = runs.iloc[-1]
    found = [(f"Decrease of one step over (11), {which}: least", f"{(steps['decrease'] / steps[which]).min():.3g}")
             for which in _VERSIONS]  # fmt: skip
    fallen = runs["F"].iloc[0] - last["F"]
    for which in _VERSIONS:
        promised = runs["F"].iloc[0] - last[f"allowed_{which}"]
        found.append((f"Fall of F in {last['k']:g} steps over (13), {which}", f"{fallen / promised:.3g}"))
    return found


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
