"""T(eps) against the published bound (14) and the worst case of its class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sympy as sp
from matplotlib.figure import Figure

from figures import Settings, style
from simulations import Experiment, exact, families, run
from simulations.experiment import GUARD
from theory import CLAIMS
from theory import symbols as s
from theory.domains import NOISE_FLOOR

TITLE = "Iterations needed against the bound (14)"
CAPTION = (
    "Above: cosine and Welsch tasks (d = {dim:g}, {tasks:g} tasks, alpha L = {a:.3g}, B = {B:g}) under Algorithm 1 "
    "with noisy oracles and the published random step. Every small dot is one replicate's own first passage below "
    "eps; the line is the first iteration at which the mean over replicates plus {guard:g} standard errors is below "
    "eps, which is what (14) speaks of; in a well it grows like a logarithm. Left of the grey line eps is below the "
    "noise floor FMO(86), where the published (14) claims nothing. Below, left: one resisting ramp for each eps, "
    "exact oracles and the exact step: the worst case the analysis allows is nearly attained. Squares, diamonds and "
    "triangles: (14) with the published K = {published:.4g}, with that of the published route repaired, "
    "{repaired:.4g}, and with the sharp one, {sharp:.4g}; dashed: {lower:g} L Delta/eps^2, the limit of the ramps for "
    "the exact step. Below, right: one function for all eps, a hill with an algebraic tail t^-q, exact oracles and "
    "the sharp step 1/L(w), eps in units of A omega; the dotted lines have the exponent -(1+q)/q that the family "
    "predicts, between the logarithm of a well and the eps^-2 of the ramps."
)

_SHAPE = {"dim": 16, "tasks": 32}
_NOISY = {"cosine": "Cosine tasks, noisy oracles", "welsch": "Welsch tasks, noisy oracles"}
_VERSIONS = {"published": "published", "repaired": "same-floor", "sharp": "sharp"}
_ALPHA_L = sp.Rational(1, 6)
_BATCHES = {"B": 20, "D_in": 20, "D_o": 20, "D_h": 1}
_CONSTANTS = {"L": 1, "rho": 1, "sigma": "1/20", "sigma_tilde": "1/20", "sigma_H": "1/5"}
_RAMP = {"L": 1, "rho": 1, "Delta": 1}
_TAILS = (1.05, 2, 4)
_TAIL_TARGETS = np.geomspace(1, 10**-3.5, 29)
_HALF_DECADE = np.sqrt(10) * 1.001
_SLOPE = 1.02
_TARGETS = 8
_SPREAD = 0.08
_SIZES = {
    "quick": {"replicates": 32, "cap": 20_000, "ramps": (0.3, 0.1, 0.03, 0.01)},
    "full": {"replicates": 256, "cap": 200_000, "ramps": (0.3, 0.1, 0.03, 0.01, 0.003)},
}


@dataclass(frozen=True)
class Instance:
    """One run with the constants of its bound."""

    label: str
    experiment: Experiment
    values: dict[str, object]
    Delta: float

    def bound(self, eps: float, which: str = "published") -> float:
        """The right side of (14)."""
        return CLAIMS["iteration-bound"].evaluate(which, **self.values, eps=eps, Delta=self.Delta)


def instances(settings: Settings) -> list[Instance]:
    """The noisy runs, the ramps and the tails, checked against the hypotheses of (14).

    Raises:
        ValueError: constants no family has, or noise so large that (14) claims nothing.
    """
    size = _SIZES[settings.profile]
    given = dict(settings.constants)
    constants = {**_CONSTANTS, **{k: v for k, v in given.items() if k in _CONSTANTS}}
    noisy = [_noisy(name, constants, size, settings.seed) for name in _NOISY]
    ramp = {**_RAMP, **{k: v for k, v in given.items() if k in _RAMP}}
    tail = {k: v for k, v in ramp.items() if k != "Delta"}
    return [*noisy, *(_ramp(eps, ramp) for eps in size["ramps"]), *(_tail(q, tail) for q in _TAILS)]


def _noisy(name: str, constants: dict, size: dict, seed: int) -> Instance:
    family = families.named(name)(**_SHAPE, **{k: float(sp.Rational(v)) for k, v in constants.items()}, seed=seed)
    alpha = _ALPHA_L / sp.Rational(constants["L"])
    values = {"alpha": alpha, **constants, **_BATCHES, "B_step": 1, "D_step": 1}
    floor = noise_floor(values)
    steepest = float(np.linalg.norm(exact.meta_gradient(family, family.start, float(alpha))))
    if not 1.1 * floor < 0.5 * steepest:
        raise ValueError(
            f"the noise floor FMO(86) of these constants, {floor:.3g}, is not well below ||grad F(w_0)|| = "
            f"{steepest:.3g}, so (14) claims nothing on this run: choose a smaller sigma or sigma_tilde"
        )
    experiment = Experiment(
        family,
        alpha,
        **_BATCHES,
        B_step=values["B_step"],
        D_step=values["D_step"],
        iterations=size["cap"],
        replicates=size["replicates"],
        eps=tuple(np.geomspace(1.05 * floor, 0.6 * steepest, _TARGETS)),
        until_passage=True,
        record_every=size["cap"],
        seed=seed,
    )
    return Instance(name, experiment, values, exact.gap(family, float(alpha)))


def _ramp(eps: float, constants: dict) -> Instance:
    L, rho, Delta = (float(sp.Rational(constants[name])) for name in ("L", "rho", "Delta"))
    target = eps * np.sqrt(L * Delta)
    family = families.resisting_ramp(target, _SLOPE, L, rho, Delta)
    values = _exact_oracles(constants)
    alpha = values["alpha"]
    gap = exact.gap(family, float(alpha))
    cap = int(1600 * gap * (L + rho * float(alpha) * target) / target**2)
    experiment = Experiment(
        family, alpha, step="exact", iterations=cap, eps=(target,), until_passage=True, record_every=cap
    )
    return Instance("ramp", experiment, values, gap)


def _exact_oracles(constants: dict) -> dict[str, object]:
    oracles = dict.fromkeys(("B", "D_in", "D_o", "D_h", "B_step", "D_step"), np.inf)
    quiet = dict.fromkeys(("sigma", "sigma_tilde", "sigma_H"), 0)
    L, rho = (float(sp.Rational(constants[name])) for name in ("L", "rho"))
    return {"alpha": _ALPHA_L / sp.Rational(constants["L"]), "L": L, "rho": rho, **quiet, **oracles}


def _tail(q: float, constants: dict, targets: np.ndarray = _TAIL_TARGETS) -> Instance:
    values = _exact_oracles(constants)
    named = {name: values[name] for name in ("L", "rho", "sigma", "sigma_tilde", "sigma_H")}
    family = families.algebraic_tail(dim=1, tasks=1, **named, q=q)
    A, omega = family.shared[:2]
    cap = 10**8
    experiment = Experiment(
        family,
        values["alpha"],
        step="sharp",
        iterations=cap,
        eps=tuple(A * omega * targets),
        until_passage=True,
        record_every=cap,
    )
    return Instance("tail", experiment, values, exact.gap(family, float(values["alpha"])))


def exponent(means: pd.DataFrame) -> float:
    """The p of T ~ eps^p, by least squares on logarithms, over the last half-decade of eps."""
    last = means[means["eps"] <= _HALF_DECADE * means["eps"].min()]
    return float(np.polyfit(np.log(last["eps"]), np.log(last["T"].astype(float)), 1)[0])


def noise_floor(values: dict[str, object]) -> float:
    """The eps below which (14) claims nothing, FMO(86)."""
    return float(
        NOISE_FLOOR.relation.rhs.subs({s.QUANTITIES[name].symbol: sp.Rational(value) for name, value in values.items()})
    )


def data(instances: list[Instance], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Run all instances.

    Returns:
        replicates: label, replicate, eps, T, censored.
        means: label, eps, T, censored, published, repaired, sharp (bounds), lower, floor, Delta, predicted (the
            family's rate exponent).
        settings: what the caption leaves open.
    """
    replicates, means = [], []
    lower = float(CLAIMS["iteration-bound-lower-exact"].sharp["cL"])
    for i, instance in enumerate(instances):
        result = run(
            instance.experiment, progress=lambda done, total, i=i: progress((i + done / total) / len(instances))
        )
        progress((i + 1) / len(instances))
        floor = noise_floor(instance.values) if instance.label in _NOISY else 0.0
        L = float(sp.Rational(instance.values["L"]))
        replicates.append(result.first_passage.assign(label=instance.label))
        means.append(
            result.mean_passage.assign(
                label=instance.label,
                **{
                    kind: [instance.bound(eps, which) for eps in result.mean_passage["eps"]]
                    for kind, which in _VERSIONS.items()
                },
                lower=lower * L * instance.Delta / result.mean_passage["eps"] ** 2,
                floor=floor,
                Delta=instance.Delta,
                predicted=instance.experiment.family.rate_exponent or np.nan,
            )
        )
    settings = {**_SHAPE, "a": float(_ALPHA_L), "B": _BATCHES["B"], "guard": GUARD, "lower": lower}
    settings |= {kind: float(CLAIMS["iteration-bound"].constants(which)["K"]) for kind, which in _VERSIONS.items()}
    return {
        "replicates": pd.concat(replicates, ignore_index=True),
        "means": pd.concat(means, ignore_index=True),
        "settings": pd.DataFrame([settings]),
    }


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """Four panels, log-log: the noisy tasks with every replicate, the ramps, and the tails."""
    figure, axes = plt.subplots(2, 2, figsize=(style.WIDTH, 7.4))
    *noisy, ramps, tails = axes.flat
    for axis, (label, title) in zip((*noisy, ramps), {**_NOISY, "ramp": "Resisting ramps"}.items(), strict=True):
        means, replicates = (_of(tables[name], label).sort_values("eps") for name in ("means", "replicates"))
        passages(axis, replicates, means)
        axis.set_title(title)
    _tails(tails, _of(tables["means"], "tail"))
    for axis in axes[:, 0]:
        axis.set_ylabel(r"iterations $T(\epsilon)$")
    figure.legend(*noisy[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    tails.legend()
    return figure


def _tails(axis: plt.Axes, means: pd.DataFrame) -> None:
    """T(eps) of each tail, and through its last point the predicted line; eps in units of its largest."""
    looks = ((style.BLUE, "o"), (style.ORANGE, "s"), (style.PURPLE, "^"))
    for (predicted, tail), (color, mark) in zip(means.groupby("predicted"), looks, strict=False):
        eps, last = tail["eps"] / tail["eps"].max(), tail.loc[tail["eps"].idxmin()]
        label = f"q = {-1 / (1 + predicted):g}"
        axis.loglog(eps, tail["T"].astype(float), mark, color=color, markersize=3, label=label)
        line = last["T"] * (eps / eps.min()) ** predicted
        axis.loglog(eps, line, ":", color=color, label=rf"$\epsilon^{{{predicted:.4g}}}$")
    axis.set(title="Algebraic tails", xlabel=r"target $\epsilon/(A\omega)$")


def _of(table: pd.DataFrame, label: str) -> pd.DataFrame:
    return table[table["label"] == label]


def passages(axis: plt.Axes, replicates: pd.DataFrame, means: pd.DataFrame) -> plt.Axes:
    """Bounds, every replicate's first passage, and that of the mean; what was not reached is counted.

    Args:
        replicates, means: rows of one label of the tables of `data`, by eps.
    """
    for kind in _VERSIONS:
        look = {"color": style.COLOURS[kind], "marker": style.MARKS[kind], "markersize": 4}
        axis.loglog(means["eps"], means[kind], label=f"(14), {kind}", **look)
    axis.loglog(means["eps"], means["lower"], "--", color=style.LOWER, label="limit of the ramps")
    passed = means[~means["censored"]]
    reached = replicates[~replicates["censored"]]
    count = replicates["replicate"].nunique()
    axis.plot(passed["eps"], passed["T"], "o-", color=style.MEASURED, markersize=4, label="mean of the runs")
    if count > 1:
        aside = 1 + _SPREAD * (2 * reached["replicate"] / (count - 1) - 1)
        label = "each replicate (spread sideways)"
        axis.plot(reached["eps"] * aside, reached["T"], ".", color=style.SKY, markersize=3, label=label, zorder=1)
    censored = replicates["censored"].sum()
    if censored:
        axis.text(0.03, 0.03, f"{censored} passages not reached (censored)", transform=axis.transAxes, color=style.GREY)
    if means["floor"].max() > 0:
        axis.axvline(means["floor"].max(), color=style.FLOOR, linewidth=1, label="noise floor FMO(86)")
    axis.set_xlabel(r"target $\epsilon$")
    style.honest_decades(axis)
    return axis


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """The numbers the figure stands for."""
    means, replicates = tables["means"], tables["replicates"]
    passed = means[~means["censored"]]
    ramps, tails = _of(passed, "ramp"), _of(passed, "tail").groupby("predicted")
    hardest, slope = ramps.loc[ramps["eps"].idxmin()], exponent(ramps.nsmallest(2, "eps"))
    found = [(f"Ramp at eps = {hardest['eps']:g}: iterations", f"{hardest['T']:,}")]
    found += [
        (f"Ramp at eps = {hardest['eps']:g}: {kind} bound over iterations", f"{hardest[kind] / hardest['T']:.2f}")
        for kind in _VERSIONS
    ]
    predicted = ramps["predicted"].iloc[0]
    found.append((f"Ramp: exponent of T between the two smallest eps, predicted {predicted:g}", f"{slope:.4f}"))
    for predicted, tail in tails:
        what = f"Tail, q = {-1 / (1 + predicted):g}: exponent over the last half-decade, predicted {predicted:.4f}"
        found.append((what, f"{exponent(tail):.4f}"))
    for label in _NOISY:
        mine, all_of_it, own = _of(passed, label), _of(means, label), _of(replicates, label)
        within = f"{(mine['T'] <= mine['published']).sum()} of {len(all_of_it)}"
        least = ", ".join(f"{(mine[kind] / mine['T']).min():,.4g}" for kind in _VERSIONS)
        found += [
            (f"{label}: targets at which the guarded mean passes within the published (14)", within),
            (f"{label}: least published, repaired and sharp bound over iterations of the mean", least),
            (f"{label}: replicates' own passages, and of these censored", f"{len(own)}, {own['censored'].sum()}"),
        ]
    return found


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
