"""Left over right side of the moment inequalities (7) and (8), exactly, over alpha L and D_in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sympy as sp
from matplotlib.figure import Figure
from scipy.optimize import minimize

from figures import Settings, style
from simulations import exact, families
from simulations.family import Family
from theory import CLAIMS
from theory import symbols as s

TITLE = "How much of the moment inequalities (7) and (8) is used"
CAPTION = (
    "Left over right side, exact (no sampling), on cosine tasks (d = 16, 32 tasks) with D_o = 1 and the smallest D_h "
    "the inequality allows. Top: the largest ratio over 256 points w. Bottom: the ratio at a stationary point of F, "
    "where only the noise terms are left. Dotted: with the published constants; solid: with the sharp ones. The "
    "inequality holds wherever its line stays below 1."
)

_CONSTANTS = {"L": 1, "rho": 1, "sigma": "1/2", "sigma_tilde": 1, "sigma_H": 4}
_SIZES = {"quick": (9, 256), "full": (25, 1024)}
_INNER = (1, 4, 16, 64)
_LEFT = {"first-moment": lambda moments: float(moments.mean @ moments.mean), "second-moment": lambda m: m.second}


@dataclass(frozen=True)
class Instance:
    """The tasks, the points at which both sides are compared, and the inner steps."""

    family: Family
    constants: dict[str, sp.Rational]
    points: np.ndarray
    steps: tuple[sp.Rational, ...]


def instances(settings: Settings) -> Instance:
    """The tasks and the points.

    Raises:
        ValueError: constants no cosine family has.
    """
    steps, points = _SIZES[settings.profile]
    named = {**_CONSTANTS, **{k: v for k, v in settings.constants.items() if k in _CONSTANTS}}
    constants = {name: sp.Rational(value) for name, value in named.items()}
    family = families.cosine(dim=16, tasks=32, **{k: float(v) for k, v in constants.items()}, seed=settings.seed)
    generator = np.random.Generator(np.random.Philox(settings.seed))
    box = math.pi * float(constants["L"] / constants["rho"])
    inner = tuple(sp.Rational(k, 6 * steps) / constants["L"] for k in range(1, steps + 1))
    return Instance(family, constants, generator.uniform(-box, box, (points, family.dim)), inner)


def data(instances: Instance, progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Compare both sides.

    Returns:
        ratios: claim, which, a, D_in, largest (over the points), stationary (at a stationary point of F).
    """
    rows = []
    for i, alpha in enumerate(instances.steps):
        lowest = _stationary(instances.family, float(alpha))
        for D_in in _INNER:
            rows += _ratios(instances, alpha, D_in, np.vstack([instances.points, lowest]))
        progress((i + 1) / len(instances.steps))
    return {"ratios": pd.DataFrame(rows)}


def _stationary(family: Family, alpha: float) -> np.ndarray:
    found = minimize(
        lambda w: exact.objective(family, w, alpha),
        family.start,
        jac=lambda w: exact.meta_gradient(family, w, alpha),
        method="BFGS",
        options={"gtol": 1e-9},
    )
    return found.x


def _ratios(instance: Instance, alpha: sp.Rational, D_in: int, points: np.ndarray) -> list[dict]:
    """One row a claim and version; the stationary point is the last of the points."""
    D_h = max(1, math.ceil(2 * (alpha * instance.constants["sigma_H"]) ** 2))
    values = {**instance.constants, "alpha": alpha, "D_in": D_in, "D_o": 1, "D_h": D_h}
    found = [exact.moments(instance.family, w, float(alpha), D_in, 1, D_h) for w in points]
    norms = np.array([np.linalg.norm(exact.meta_gradient(instance.family, w, float(alpha))) for w in points])
    rows = []
    for claim, left in _LEFT.items():
        sides = np.array([left(moments) for moments in found])
        for which in ("published", "sharp"):
            ratios = sides / _right(claim, which, values, norms)
            rows.append(
                {
                    "claim": claim,
                    "which": which,
                    "a": float(alpha * instance.constants["L"]),
                    "D_in": D_in,
                    "largest": ratios.max(),
                    "stationary": ratios[-1],
                }
            )
    return rows


def _right(claim: str, which: str, values: dict, norms: np.ndarray) -> np.ndarray:
    """The right side at many meta-gradients at once; the claim itself is asked once, so that its domain is checked."""
    CLAIMS[claim].evaluate(which, **values, grad_F=0)
    point = {s.QUANTITIES[name].symbol: value for name, value in values.items()}
    right = CLAIMS[claim].relation(which).rhs.subs(point)
    return np.broadcast_to(sp.lambdify(s.grad_F, right)(norms), norms.shape)


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """Columns (7) and (8); rows the largest ratio and the one at a stationary point."""
    ratios = tables["ratios"]
    figure, axes = plt.subplots(2, 2, figsize=(style.WIDTH, 5.6), sharex=True)
    rows = (("largest", "largest over the points"), ("stationary", r"where $\nabla F = 0$"))
    for column, claim in enumerate(_LEFT):
        for row, (measure, words) in enumerate(rows):
            axis = axes[row, column]
            for (which, D_in), line in ratios.query("claim == @claim").groupby(["which", "D_in"]):
                colour = dict(zip(_INNER, (style.RED, style.ORANGE, style.GREEN, style.BLUE), strict=True))[D_in]
                sharp = which == "sharp"
                label = f"$D_{{in}}$ = {D_in}" if sharp else None
                axis.plot(line["a"], line[measure], "-" if sharp else ":", color=colour, label=label)
            axis.set_title(f"{CLAIMS[claim].equation} {words}")
            axis.set_ylim(bottom=0)
            axis.set_ylabel("left over right side")
    for axis in axes[1]:
        axis.set_xlabel(r"$\alpha L$")
    axes[0, 0].plot([], [], "-", color=style.GREY, label="sharp constants")
    axes[0, 0].plot([], [], ":", color=style.GREY, label="published constants")
    axes[0, 0].legend(ncols=2)
    return figure


def findings(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """The largest share of each inequality that was used."""
    return [
        (
            f"{CLAIMS[claim].equation} with {which} constants: largest left over right side",
            f"{group['largest'].max():.4f}",
        )
        for (claim, which), group in tables["ratios"].groupby(["claim", "which"])
    ]
