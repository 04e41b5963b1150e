"""All methods on one instance with the same noise: the norm of the meta-gradient over the iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from simulations import Experiment, families, run

TITLE = "The methods side by side"
CAPTION = (
    "Cosine tasks (d = {dim:g}, {tasks:g} tasks, sigma = {sigma:g}, alpha L = {a:.3g}), all methods from the same "
    "start with the same step {step:.3g}/L, seed and noise addresses; mean over {replicates:g} replicates of the "
    "exact norm of the gradient of the objective each method is judged by: MAML's with one inner step, but two steps "
    "for multi-step MAML and the proximal objective for iMAML. Left: exact expectations, so that what is left is the "
    "method's own bias; lines that leave the picture go on falling. Right: B = D_in = D_o = {B:g}, D_h = {D_h:g}, "
    "sigma~ = {sigma_tilde:g}: all end on a level of noise."
)

_METHODS = {
    "MAML": ("maml", {}),
    "multi-step MAML": ("multi_step", {"inner_steps": 2}),
    "FO-MAML": ("fo_maml", {}),
    "HF-MAML, published": ("hf_maml", {}),
    "HF-MAML, repaired": ("hf_maml", {"zeta": "repaired"}),
    "Reptile": ("reptile", {"steps": 2}),
    "iMAML": ("imaml", {}),
}
_LOOKS = dict(
    zip(
        _METHODS,
        [
            (style.BLUE, "o", "-"),
            (style.SKY, "P", "-"),
            (style.ORANGE, "s", "--"),
            (style.RED, "D", "-."),
            (style.GREEN, "^", "-"),
            (style.PURPLE, "v", "--"),
            (style.BLACK, "x", ":"),
        ],
        strict=True,
    )
)
_INSTANCE = {"dim": 4, "tasks": 10, "sigma": 1.0, "sigma_tilde": 0.3, "sigma_H": 0.2}
_ALPHA, _STEP, _EPS = 1 / 10, 1 / 10, 0.01
_BATCHES = {"B": 20, "D_in": 20, "D_o": 20, "D_h": 1}
_EXACT, _SAMPLED = "exact expectations", "samples"
_RUNS = {"quick": (64, 400), "full": (1024, 800)}


@dataclass(frozen=True)
class Run:
    """One method, with exact expectations or with samples."""

    who: str
    how: str
    experiment: Experiment


def instances(settings: Settings) -> list[Run]:
    """One run a method and kind of oracle."""
    replicates, iterations = _RUNS[settings.profile]
    family = families.cosine(**_INSTANCE, seed=settings.seed)
    runs = []
    for who, (method, options) in _METHODS.items():
        for how, batches in ((_EXACT, {}), (_SAMPLED, _BATCHES | {"replicates": replicates})):
            asked = {"step": _STEP, "iterations": iterations, "record_every": 2, "eps": (_EPS,), **batches}
            experiment = Experiment(family, _ALPHA, method, method_options=options, seed=settings.seed, **asked)
            runs.append(Run(who, how, experiment))
    return runs


def data(instances: list[Run], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Run all.

    Returns:
        norms: who, how, iteration, grad_norm (mean over replicates).
        settings: what the caption leaves open.
    """
    tables = []
    for done, one in enumerate(instances, start=1):
        norms = run(one.experiment).frame.groupby("iteration", as_index=False)["grad_norm"].mean()
        tables.append(norms.assign(who=one.who, how=one.how))
        progress(done / len(instances))
    replicates = max(one.experiment.replicates for one in instances)
    settings = {**_INSTANCE, **_BATCHES, "a": _ALPHA, "step": _STEP, "replicates": replicates}
    return {"norms": pd.concat(tables, ignore_index=True), "settings": pd.DataFrame([settings])}


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """Exact expectations, and samples."""
    norms = tables["norms"]
    figure, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 4), sharex=True)
    for axis, how in zip(axes, (_EXACT, _SAMPLED), strict=True):
        panel(axis, norms[norms["how"] == how]).set_title(how.capitalize())
    axes[0].set_ylabel(r"$\|\nabla F(w_k)\|$")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def panel(axis: Axes, norms: pd.DataFrame) -> Axes:
    """All methods with one kind of oracle, from rows of the table `norms`."""
    for place, (who, rows) in enumerate(norms.groupby("who", sort=False)):
        colour, mark, dash = _LOOKS[who]
        every = (place * len(rows) // 40, len(rows) // 6)
        axis.plot(rows["iteration"], rows["grad_norm"], dash, color=colour, marker=mark,
                  markersize=4, markevery=every, label=who)  # fmt: skip
    axis.set(yscale="log", xlabel="iteration k", ylim=(max(_LOWEST, norms["grad_norm"].min() / 2), None))
    return axis


_LOWEST = 1e-9


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Where each method ends."""
    norms = tables["norms"]
    last = norms[norms["iteration"] > 0.9 * norms["iteration"].max()]
    ends = last.pivot_table(index="who", columns="how", values="grad_norm", sort=False)
    what = f"||grad F|| over the last tenth, {_EXACT}, {_SAMPLED}"
    return [(f"{who}: {what}", f"{row[_EXACT]:.3g}, {row[_SAMPLED]:.3g}") for who, row in ends.iterrows()]


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
