"""The gradient norm at which each method stops falling, over the batch sizes, against what is proved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from simulations import Experiment, families, run
from theory import CLAIMS

TITLE = "Noise floors: where the methods stand still"
CAPTION = (
    "Dots: ||grad F(w_k)||, exact, its mean over {replicates:g} replicates and the last half of {iterations:g} "
    "iterations, with n samples of everything (B = D_in = D_o = n) on the two tasks on which FMO's theorem on "
    "Hessian-free MAML fails (sigma~ = {sigma_tilde:g}, alpha L = {a:.3g}, the published random step). Squares and "
    "triangles: the floors of the theorems, published and sharp; the published one of HF-MAML is refuted. At the "
    "right end all expectations are exact and floors that are not drawn are 0; what stays is the spread of the tasks, "
    "for FO-MAML and, in our version that is proved, for HF-MAML with the published difference. In each panel stands "
    "the largest term of the published floor, at the smallest n and at the largest."
)

_ALPHA = 1 / (6 * math.pi)
_METHODS = {
    "MAML": ("maml", {}, "noise-floor"),
    "FO-MAML": ("fo_maml", {}, "fo-maml-floor"),
    "HF-MAML, published": ("hf_maml", {}, "hf-maml-floor"),
    "HF-MAML, repaired": ("hf_maml", {"zeta": "repaired"}, "hf-maml-floor-repaired"),
}
_SAMPLES = (20, 80, 320, 1280, math.inf)
_EPS = 0.005
_RUNS = {"quick": (8, 2000), "full": (64, 8000)}
_NOISE = {"sigma_tilde": 1.0, "sigma_H": 0.2}
_TERMS = {
    "batch": r"$\sigma^2/B$",
    "inner": r"$\tilde\sigma^2/D_{in}$",
    "outer": r"$\tilde\sigma^2/(B D_o)$",
    "spread": r"$\alpha^2 L^2 \sigma^2$",
}


@dataclass(frozen=True)
class Point:
    """One run: whose, with how many samples, and the experiment."""

    who: str
    n: float
    experiment: Experiment


def instances(settings: Settings) -> list[Point]:
    """One point a method and number of samples."""
    replicates, iterations = _RUNS[settings.profile]
    family = families.sinc_stall(**_NOISE)
    shared = {"B_step": 1, "D_step": 1, "replicates": replicates, "iterations": iterations, "record_every": 10}
    points = []
    for who, (method, options, _) in _METHODS.items():
        for n in _SAMPLES:
            size = None if n == math.inf else n
            batches = {"B": size, "D_in": size, "D_o": size, "D_h": size and 1}
            asked = {"eps": (_EPS,), "seed": settings.seed, "method_options": options, **shared, **batches}
            points.append(Point(who, n, Experiment(family, _ALPHA, method, **asked)))
    return points


def data(instances: list[Point], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Run every point and ask the theorems.

    Returns:
        floors: who, n, measured, published, sharp (NaN where there is none), term (the largest of the published floor).
        settings: replicates, iterations, sigma_tilde, a.
    """
    rows = []
    for done, point in enumerate(instances, start=1):
        rows.append({"who": point.who, "n": point.n, "measured": _level(point.experiment), **_proved(point)})
        progress(done / len(instances))
    one = instances[0].experiment
    a = _ALPHA * float(one.family.constants.L)
    settings = {"replicates": one.replicates, "iterations": one.iterations, **_NOISE, "a": a}
    return {"floors": pd.DataFrame(rows), "settings": pd.DataFrame([settings])}


def _level(experiment: Experiment) -> float:
    record = run(experiment).frame
    return record.loc[record["iteration"] > experiment.iterations / 2, "grad_norm"].mean()


def _proved(point: Point) -> dict[str, object]:
    """The floors, and the largest term of the published one: each noise alone, the others set to zero."""
    claim = CLAIMS[_METHODS[point.who][2]]
    versions = [which for which in ("published", "sharp") if which in claim.versions]
    floors = {which: _floor(claim, which, point) for which in versions}
    spread = _floor(claim, "published", point, sigma_tilde=0, B=math.inf)
    terms = {
        "batch": _floor(claim, "published", point, sigma_tilde=0) ** 2 - spread**2,
        "inner": _floor(claim, "published", point, sigma=0, B=math.inf),
        "outer": _floor(claim, "published", point, sigma=0, D_in=math.inf),
        "spread": spread,
    }
    terms["batch"] = math.sqrt(max(terms["batch"], 0.0))
    largest = max(terms, key=terms.get)
    return {"published": math.nan, "sharp": math.nan, **floors, "term": largest if terms[largest] > _TINY else ""}


_TINY = 1e-9


def _floor(claim, which: str, point: Point, **changed: float) -> float:
    """What the theorem promises after as many iterations as one likes, for an eps below every floor."""
    constants = {name: value for name, value in point.experiment.family.constants.keywords().items() if name != "Delta"}
    sizes = dict.fromkeys(("B", "D_in", "D_o"), point.n) | {"D_h": math.inf, "B_step": 1, "D_step": 1}
    values = {**constants, "alpha": _ALPHA, **sizes, "zeta": "1/6", **changed}
    found = claim.evaluate(which, **values, eps=_TINY / 10, Delta=1, T=10**40)
    return 0.0 if found <= _TINY else found


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """One panel a method."""
    floors = tables["floors"]
    figure, axes = plt.subplots(1, 4, figsize=(style.WIDTH, 3.6), sharey=True)
    for axis, who in zip(axes, _METHODS, strict=True):
        panel(axis, floors[floors["who"] == who]).set_title(who)
    axes[0].set_ylabel(r"$\|\nabla F\|$")
    figure.supxlabel("samples of everything, n", fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def panel(axis: Axes, floors: pd.DataFrame) -> Axes:
    """One method, from its rows of the table `floors`; exact expectations stand at the right end."""
    finite = floors[floors["n"] < math.inf]
    end = 4 * finite["n"].max()
    at = floors["n"].clip(upper=end)
    for kind, column in (("published", "published"), ("sharp", "sharp"), ("measured", "measured")):
        shown = floors[column].where(floors[column] > _LOWEST)
        label = "mean of the runs" if kind == "measured" else f"{kind} floor"
        axis.plot(at, shown, marker=style.MARKS[kind], color=style.COLOURS[kind], label=label, markersize=5)
    terms = [_TERMS[floors[floors["n"] == n]["term"].iloc[0]] for n in (finite["n"].min(), finite["n"].max())]
    axis.text(0.04, 0.04, f"largest term:\n{terms[0]}" + (f", then {terms[1]}" if terms[1] != terms[0] else ""),
              transform=axis.transAxes, fontsize=8)  # fmt: skip
    axis.set(xscale="log", yscale="log", ylim=(_LOWEST, None))
    axis.set_xticks([*finite["n"], end], [*(f"{n:g}" for n in finite["n"]), r"$\infty$"])
    axis.minorticks_off()
    return axis


_LOWEST = 1e-3


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Where each method stands, with the fewest samples, the most, and exact expectations."""
    found = []
    for who, rows in tables["floors"].groupby("who", sort=False):
        finite = rows[rows["n"] < math.inf]
        levels = [finite["measured"].iloc[0], finite["measured"].iloc[-1], rows["measured"].iloc[-1]]
        sizes = f"n = {finite['n'].iloc[0]:g}, {finite['n'].iloc[-1]:g}, exact"
        found.append((f"{who}: ||grad F|| at {sizes}", ", ".join(f"{level:.3g}" for level in levels)))
        found.append((f"{who}: published floor over the runs at n = {finite['n'].iloc[-1]:g}",
                      f"{finite['published'].iloc[-1] / finite['measured'].iloc[-1]:.3g}"))  # fmt: skip
    return found


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
