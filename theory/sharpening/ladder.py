"""The ladder of K: from the published 1600 to the best constants, each rung with the proof that supports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import sympy as sp

from theory.sharpening import search
from theory.sharpening.constants import Sharpened, make_setting, sharpen

PUBLISHED = {"smoothness": "published", "relation": "rounded", "first": "published", "second": "published"}
EXACT = {"D_in": None, "D_o": None, "lam": 0, "floor": sp.oo}


@dataclass(frozen=True)
class Rung:
    """One rung: what it shows, the figure it must reach (or beat), and how to get it."""

    title: str
    figure: str
    show: Callable[[], Sharpened]


def published(kappa: str | None, split: str | None) -> Sharpened:
    """FMO's own proof of Theorem F.1 with floor 61: eta = 1/5, kappa(20) or a rounded kappa, a share for the noise."""
    setting = make_setting("1/6", 20, 1, 1, "1/2", "published", None, {"law": "moments", **PUBLISHED})
    found = search.exactly(setting, sp.Rational(1, 5), sp.Integer(0))
    if kappa:
        found = replace(found, k_L=4 / sp.Rational(kappa), k_rho=4 / sp.Rational(kappa))
    found = replace(found, floor=sp.Integer(61), cut=sp.Integer(0))
    if split:
        found = replace(found, split=sp.Rational(split), K=found.k_L / (1 - sp.Rational(split)))
    else:
        found = replace(found, K=1 / (1 / found.k_L - 2 * search.noises(setting, found)[0] / found.floor))
    return Sharpened(found.K, found.floor, setting, found)


def _rung(title: str, figure: str, **options) -> Rung:
    return Rung(title, figure, lambda: sharpen(**options))


LADDER = {
    rung.title: rung
    for rung in (
        Rung("published: half pays the noise, half is lost to a minimum", "1600", lambda: published("1/100", "3/4")),
        Rung("Jensen repaired", "800", lambda: published("1/100", "1/2")),
        Rung("kappa(20) not rounded", "482", lambda: published(None, "1/2")),
        Rung("the share the floor 61 needs", "344.6", lambda: published(None, None)),
        _rung("sharp S and sharper (8), two moments of the step", "64.14", law="moments"),
        _rung("the step's distribution", "60.95"),
        _rung("exact step, published S", "1152/23", B=None, step="exact", smoothness="published", **EXACT),
        _rung("exact step, sharp S", "48.70", B=None, step="exact", **EXACT),
        _rung("random step, two moments", "71.67", B=None, law="moments", smoothness="published", **EXACT),
        _rung("random step, B = 1", "61.04", B=1, **EXACT),
        _rung("random step, B = 20", "60.71", B=20, **EXACT),
        _rung("random step, full batch", "60.69", B=None, **EXACT),
        _rung("exact step, best factor", "3.64", B=None, step="exact", step_factor="best", **EXACT),
        _rung("exact step, best factor, B = 20", "3.73", B=20, step="exact", step_factor="best", **EXACT),
        _rung("random step, best factor", "5.55", B=None, step_factor="best", **EXACT),
        _rung("random step, best factor, B = 20", "5.69", B=20, step_factor="best", **EXACT),
        _rung("beta = 1/S(w), C1", "3.66", B=None, step="sharp", relation="published", **EXACT),
        _rung("beta = 1/S(w)", "3.36", B=None, step="sharp", **EXACT),
    )
}
