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
    "Left over right side, exact (no sampling), on cosine tasks (d = {dim:g}, {tasks:g} tasks): the largest ratio "
    "over {points:g} points w and a stationary point of F, with D_in = D_o = D and the smallest D_h that (8) allows. "
    "Dotted: published constants; solid: the sharp ones. The inequality holds wherever its line stays below 1. With "
    "few samples noise fills (8); with many, only the gradient terms are left. The bias of these tasks points against "
    "grad F and vanishes with it, so (7) never uses more than the share {share:g} that its published coefficient "
    "{coefficient:g} leaves."
)

_CONSTANTS = {"L": 1, "rho": 1, "sigma": "1/2", "sigma_tilde": 8, "sigma_H": 4}
_SHAPE = {"dim": 16, "tasks": 32}
_SIZES = {"quick": (9, 256), "full": (25, 1024)}
_SAMPLES = {1: style.RED, 8: style.ORANGE, 64: style.GREEN, 512: style.BLUE}
_LEFT = {"first-moment": lambda moments: float(moments.mean @ moments.mean), "second-moment": lambda m: m.second}


_SIDES = {"first-moment": r"$\|\mathbb{E}G\|^2$", "second-moment": r"$\mathbb{E}\|G\|^2$"}


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
    family = families.cosine(**_SHAPE, **{k: float(v) for k, v in constants.items()}, seed=settings.seed)
    generator = np.random.Generator(np.random.Philox(settings.seed))
    box = math.pi * float(constants["L"] / constants["rho"])
    inner = tuple(sp.Rational(k, 6 * steps) / constants["L"] for k in range(1, steps + 1))
    return Instance(family, constants, generator.uniform(-box, box, (points, family.dim)), inner)


def data(instances: Instance, progress: Callable[[float], None]) -> dict[str, pd.DataFrame]:
    """Compare both sides.

    Returns:
        ratios: claim, which, a, D, largest.
        settings: what the caption leaves open.
    """
    rows = []
    for i, alpha in enumerate(instances.steps):
        lowest = _stationary(instances.family, float(alpha))
        points = np.vstack([instances.points, lowest])
        for D in _SAMPLES:
            rows += _ratios(instances, alpha, D, points)
        progress((i + 1) / len(instances.steps))
    coefficient = float(CLAIMS["first-moment"].published["cF"])
    settings = {**_SHAPE, "points": len(instances.points), "coefficient": coefficient, "share": 1 / coefficient}
    return {"ratios": pd.DataFrame(rows), "settings": pd.DataFrame([settings])}


def _stationary(family: Family, alpha: float) -> np.ndarray:
    found = minimize(
        lambda w: exact.objective(family, w, alpha),
        family.start,
        jac=lambda w: exact.meta_gradient(family, w, alpha),
        method="BFGS",
        options={"gtol": 1e-9},
    )
    return found.x


def _ratios(instance: Instance, alpha: sp.Rational, D: int, points: np.ndarray) -> list[dict]:
    """One row a claim and version."""
    D_h = max(1, math.ceil(2 * (alpha * instance.constants["sigma_H"]) ** 2))
    values = {**instance.constants, "alpha": alpha, "D_in": D, "D_o": D, "D_h": D_h}
    found = [exact.moments(instance.family, w, float(alpha), D, D, D_h) for w in points]
    norms = np.array([np.linalg.norm(exact.meta_gradient(instance.family, w, float(alpha))) for w in points])
    a = float(alpha * instance.constants["L"])
    return [
        {
            "claim": claim,
            "which": which,
            "a": a,
            "D": D,
            "largest": (np.array([left(m) for m in found]) / _right(claim, which, values, norms)).max(),
        }
        for claim, left in _LEFT.items()
        for which in ("published", "sharp")
    ]


def _right(claim: str, which: str, values: dict, norms: np.ndarray) -> np.ndarray:
    """The right side at many meta-gradients at once; the claim itself is asked once, so that its domain is checked."""
    CLAIMS[claim].evaluate(which, **values, grad_F=0)
    point = {s.QUANTITIES[name].symbol: value for name, value in values.items()}
    right = CLAIMS[claim].relation(which).rhs.subs(point)
    return np.broadcast_to(sp.lambdify(s.grad_F, right)(norms), norms.shape)


def draw(tables: dict[str, pd.DataFrame]) -> Figure:
    """One panel for (7), one for (8)."""
    ratios = tables["ratios"]
    figure, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 4.2), sharey=True)
    for axis, claim in zip(axes, _LEFT, strict=True):
        for (which, D), line in ratios[ratios["claim"] == claim].groupby(["which", "D"]):
            dash, label = ("-", f"D = {D}") if which == "sharp" else (":", None)
            axis.plot(line["a"], line["largest"], dash, color=_SAMPLES[D], label=label)
        axis.set(title=f"{CLAIMS[claim].equation} {_SIDES[claim]}", xlabel=r"$\alpha L$", ylim=(0, 1))
    axes[0].set_ylabel("left over right side")
    axes[1].plot([], [], "-", color=style.GREY, label="sharp constants")
    axes[1].plot([], [], ":", color=style.GREY, label="published constants")
    axes[1].legend(ncols=2)
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


def numbers(tables: dict[str, pd.DataFrame]) -> dict[str, object]:
    """What the caption leaves open."""
    return tables["settings"].iloc[0].to_dict()
