"""The constants of the lemmas as functions of alpha L: as published, repaired, and sharp."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import Settings, style
from theory import CLAIMS

TITLE = "Constants of the lemmas over alpha L"
CAPTION = (
    "Each panel is one constant of one lemma, at alpha L up to the limit of the theorems. Squares: as published; "
    "diamonds: where the printed form is false, repaired along its own route; triangles: the best that is proved "
    "here, for as much Hessian noise as the theorems allow. Lower is better; published constants that do not depend "
    "on alpha L were rounded at its limit."
)

_PANELS = {
    ("smoothness", "cL"): "smoothness of $F$, $L$ part",
    ("smoothness", "cg"): r"smoothness of $F$, $\rho\alpha$ part",
    ("gradient-relation", "cF"): r"$\|\nabla f\|$ from $\|\nabla F\|$",
    ("bias", "c"): "bias of $G$",
    ("task-gradient-moment", "cs"): r"$\mathbb{E}\|\nabla F_i\|^2$ from $\sigma^2$",
    ("first-moment", "ci"): r"(7), noise of $D_\mathrm{in}$",
    ("second-moment", "cF"): r"(8), $\|\nabla F\|^2$",
    ("second-moment", "cs"): r"(8), $\sigma^2$",
    ("second-moment", "ci"): r"(8), noise of $D_\mathrm{in}$",
}
_KINDS = {"published": "published", "repaired": "repaired", "sharp": "sharp", "sharper": "sharp"}
_HESSIAN_NOISE = sp.Rational(1, 2)
_STEPS = {"quick": 12, "full": 48}


def instances(settings: Settings) -> list[sp.Rational]:
    """The values of alpha L."""
    steps = _STEPS[settings.profile]
    return [sp.Rational(k, 6 * steps) for k in range(1, steps + 1)]


def data(instances: list[sp.Rational], progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Evaluate all versions.

    Returns:
        constants: claim, constant, version (published, repaired or sharp; of several the smallest), a, value.
    """
    rows = []
    for done, a in enumerate(instances, start=1):
        rows += [row for (claim, constant) in _PANELS for row in _rows(claim, constant, a)]
        progress(done / len(instances))
    table = pd.DataFrame(rows)
    return {"constants": table.groupby(["claim", "constant", "version", "a"], sort=False, as_index=False).min()}


def _rows(claim: str, constant: str, a: sp.Rational) -> list[dict]:
    shown = ((kind, which) for which, kind in _KINDS.items() if which in CLAIMS[claim].versions)
    return [
        {
            "claim": claim,
            "constant": constant,
            "version": kind,
            "a": float(a),
            "value": float(CLAIMS[claim].constants(which, a=a, lam=_HESSIAN_NOISE)[constant]),
        }
        for kind, which in shown
    ]


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """One panel a constant."""
    figure, axes = plt.subplots(3, 3, figsize=(style.TEXT_WIDTH, 6.2), sharex=True)
    for axis, (claim, constant) in zip(axes.flat, _PANELS, strict=True):
        panel(tables["constants"], claim, constant, axis)
    for axis in axes[-1]:
        axis.set_xlabel(r"$\alpha L$")
    handles, labels = axes[1, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def panel(constants: pd.DataFrame, claim: str, constant: str, ax: Axes) -> Axes:
    """Draw one constant of one claim on axes of the caller's, from the table of `data`."""
    asked = constants[(constants["claim"] == claim) & (constants["constant"] == constant)]
    for version, line in asked.groupby("version", sort=False):
        every = max(1, len(line) // 6)
        ax.plot(
            line["a"],
            line["value"],
            color=style.COLOURS[version],
            marker=style.MARKS[version],
            label=version,
            markersize=4,
            markevery=every,
        )
    ax.set_title(_PANELS[claim, constant])
    ax.set_ylim(bottom=0)
    return ax


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """How much each constant shrinks at the limit of alpha L."""
    constants = tables["constants"]
    last = constants[constants["a"] == constants["a"].max()]
    table = last.pivot(index=["claim", "constant"], columns="version", values="value")
    return [
        (
            f"{claim}, {constant}, at alpha L = {constants['a'].max():.4g}: published, sharp",
            f"{row['published']:.4g}, {row['sharp']:.4g}",
        )
        for (claim, constant), row in table.iterrows()
    ]
