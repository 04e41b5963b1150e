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
    "Left: cosine tasks (d = 16, 32 tasks, alpha = 1/(6L), B = 20) under Algorithm 1 with noisy oracles and the "
    "published random step. Every dot is one replicate's own first passage below eps; the line is the first iteration "
    f"at which the mean over replicates plus {GUARD:g} standard errors is below eps, which is what (14) speaks of. "
    "Left of the grey line eps is below the noise floor FMO(86), where (14) claims nothing. Middle: one resisting ramp "
    "for each eps, exact oracles and the exact step: the worst case the analysis allows is nearly attained. The dashed "
    "line 48 L Delta/eps^2 is the limit of the ramps for the exact step; other tasks lie below it. Right: one function "
    "for all eps, a hill with an algebraic tail t^-q, exact oracles and the sharp step 1/L(w); the dotted lines have "
    "the exponent -(1+q)/q that the family predicts, between the logarithm of a well and the -2 of the ramps; eps in "
    "units of A omega."
)

_ALPHA_L = sp.Rational(1, 6)
_BATCHES = {"B": 20, "D_in": 20, "D_o": 20, "D_h": 1}
_COSINE = {"L": 1, "rho": 1, "sigma": "1/20", "sigma_tilde": "1/20", "sigma_H": "1/5"}
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

    def bound(self, eps: float) -> float:
        """The right side of (14)."""
        return CLAIMS["iteration-bound"].evaluate(**self.values, eps=eps, Delta=self.Delta)


def instances(settings: Settings) -> list[Instance]:
    """The cosine run, the ramps and the tails, checked against the hypotheses of (14).

    Raises:
        ValueError: constants no family has, or noise so large that (14) claims nothing.
    """
    size = _SIZES[settings.profile]
    given = dict(settings.constants)
    cosine = _cosine({**_COSINE, **{k: v for k, v in given.items() if k in _COSINE}}, size, settings.seed)
    ramp = {**_RAMP, **{k: v for k, v in given.items() if k in _RAMP}}
    tail = {k: v for k, v in ramp.items() if k != "Delta"}
    return [cosine, *(_ramp(eps, ramp) for eps in size["ramps"]), *(_tail(q, tail) for q in _TAILS)]


def _cosine(constants: dict, size: dict, seed: int) -> Instance:
    family = families.cosine(dim=16, tasks=32, **{k: float(sp.Rational(v)) for k, v in constants.items()}, seed=seed)
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
    return Instance("cosine", experiment, values, exact.gap(family, float(alpha)))


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
        means: label, eps, T, censored, bound, worst_case, floor, Delta, predicted (the family's rate exponent).
    """
    replicates, means = [], []
    for i, instance in enumerate(instances):
        result = run(
            instance.experiment, progress=lambda done, total, i=i: progress((i + done / total) / len(instances))
        )
        progress((i + 1) / len(instances))
        floor = noise_floor(instance.values) if instance.label == "cosine" else 0.0
        L = float(sp.Rational(instance.values["L"]))
        replicates.append(result.first_passage.assign(label=instance.label))
        means.append(
            result.mean_passage.assign(
                label=instance.label,
                bound=[instance.bound(eps) for eps in result.mean_passage["eps"]],
                worst_case=48 * L * instance.Delta / result.mean_passage["eps"] ** 2,
                floor=floor,
                Delta=instance.Delta,
                predicted=instance.experiment.family.rate_exponent or np.nan,
            )
        )
    return {name: pd.concat(parts, ignore_index=True) for name, parts in (("replicates", replicates), ("means", means))}


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """Three panels, log-log: the cosine tasks with every replicate, the ramps, and the tails."""
    figure, (*axes, last) = plt.subplots(1, 3, figsize=(1.4 * style.WIDTH, 4.2), sharey=True)
    titles = {"cosine": "Cosine tasks, noisy oracles", "ramp": "Resisting ramps, exact oracles"}
    for axis, (label, title) in zip(axes, titles.items(), strict=True):
        means, replicates = (_of(tables[name], label).sort_values("eps") for name in ("means", "replicates"))
        axis.loglog(means["eps"], means["bound"], color=style.RED, label="published bound (14)")
        axis.loglog(means["eps"], means["worst_case"], "--", color=style.BLACK, label=r"$48\,L\Delta/\epsilon^2$")
        _passages(axis, replicates, means)
        style.honest_decades(axis)
        axis.set(title=title, xlabel=r"target $\epsilon$")
    axes[0].set_ylabel(r"iterations $T(\epsilon)$")
    axes[0].axvline(tables["means"]["floor"].max(), color=style.GREY, linewidth=1, label="noise floor FMO(86)")
    _tails(last, _of(tables["means"], "tail"))
    for axis in (*axes, last):
        axis.legend(loc="best")
    return figure


def _tails(axis: plt.Axes, means: pd.DataFrame) -> None:
    """T(eps) of each tail, and through its last point the predicted line; eps in units of its largest."""
    for (predicted, tail), color in zip(
        means.groupby("predicted"), (style.BLUE, style.ORANGE, style.RED), strict=False
    ):
        eps, last = tail["eps"] / tail["eps"].max(), tail.loc[tail["eps"].idxmin()]
        axis.loglog(eps, tail["T"].astype(float), "o", color=color, markersize=3, label=f"q = {-1 / (1 + predicted):g}")
        line = last["T"] * (eps / eps.min()) ** predicted
        axis.loglog(eps, line, ":", color=color, label=rf"$\epsilon^{{{predicted:.4g}}}$")
    axis.set(title="Algebraic tails, exact oracles", xlabel=r"target $\epsilon/(A\omega)$")


def _of(table: pd.DataFrame, label: str) -> pd.DataFrame:
    return table[table["label"] == label]


def _passages(axis: plt.Axes, replicates: pd.DataFrame, means: pd.DataFrame) -> None:
    """Every replicate's first passage, and that of the mean; what was not reached stands at its last iteration."""
    passed = means[~means["censored"]]
    reached = replicates[~replicates["censored"]]
    count = replicates["replicate"].nunique()
    label = "mean over replicates, guarded" if count > 1 else "seen"
    axis.plot(passed["eps"], passed["T"], "o-", color=style.BLUE, markersize=4, label=label)
    if count > 1:
        aside = 1 + _SPREAD * (2 * reached["replicate"] / (count - 1) - 1)
        label = f"each of {count} replicates (spread sideways)"
        axis.plot(reached["eps"] * aside, reached["T"], ".", color=style.ORANGE, markersize=3, label=label)
    censored = replicates["censored"].sum()
    if censored:
        axis.text(0.03, 0.03, f"{censored} passages not reached (censored)", transform=axis.transAxes, color=style.GREY)


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """The numbers the figure stands for."""
    means, replicates = tables["means"], tables["replicates"]
    passed = means[~means["censored"]]
    cosine, ramps, own = _of(passed, "cosine"), _of(passed, "ramp"), _of(replicates, "cosine")
    tails = _of(passed, "tail").groupby("predicted")
    hardest = ramps.loc[ramps["eps"].idxmin()]
    within = (cosine["T"] <= cosine["bound"]).sum()
    return [
        (f"Ramp at eps = {hardest['eps']:g}: iterations", f"{hardest['T']:,}"),
        (
            f"Ramp at eps = {hardest['eps']:g}: published bound over iterations",
            f"{hardest['bound'] / hardest['T']:.2f}",
        ),
        (
            "Ramp: exponent of T between the two smallest eps, predicted -2",
            f"{exponent(ramps.nsmallest(2, 'eps')):.4f}",
        ),
        *(
            (
                f"Tail, q = {-1 / (1 + predicted):g}: exponent over the last half-decade, predicted {predicted:.4f}",
                f"{exponent(tail):.4f}",
            )
            for predicted, tail in tails
        ),
        ("Cosine: targets at which the guarded mean passes within (14)", f"{within} of {len(_of(means, 'cosine'))}"),
        ("Cosine: least bound (14) over iterations of the mean", f"{(cosine['bound'] / cosine['T']).min():,.0f}"),
        ("Cosine: replicates' own passages shown, and of these censored", f"{len(own)}, {own['censored'].sum()}"),
    ]
