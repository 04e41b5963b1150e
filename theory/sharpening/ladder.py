"""The ladder of K: from the published 1600 to the best constants, each rung with the proof that supports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import sympy as sp

from theory.certify import Certificate
from theory.claims import CLAIMS
from theory.claims.rate import FLOOR
from theory.sharpening import search
from theory.sharpening.constants import Sharpened, make_setting, sharpen

PUBLISHED = {"smoothness": "published", "relation": "rounded", "first": "published", "second": "published"}
EXACT = {"D_in": None, "D_o": None, "lam": 0, "floor": sp.oo}


@dataclass(frozen=True)
class Rung:
    """One rung: what it shows, the figure it must reach (or beat), and how to get it; `lower` for a lower bound."""

    title: str
    figure: str
    show: Callable[[], Sharpened | Claimed]
    lower: bool = False


@dataclass(frozen=True)
class Claimed:
    """A rung that a claim's version shows."""

    claim: str
    which: str
    constant: str = "K"
    floor: sp.Expr = FLOOR

    @property
    def K(self) -> sp.Rational:
        """The constant of the claim."""
        return CLAIMS[self.claim].versions[self.which].constants[self.constant]

    def certificate(self) -> Certificate:
        """The claim's own replay."""
        return CLAIMS[self.claim].certificate(self.which)


def fmo_share() -> Sharpened:
    """FMO's own lemmas and their eta = 1/10 at B = 20, with only the share of the noise that the floor 61 needs."""
    setting = make_setting(law="moments", **PUBLISHED)
    found = replace(search.exactly(setting, sp.Rational(1, 5), sp.Integer(0)), floor=sp.Integer(61))
    K = 1 / (1 / found.k_L - 2 * search.noises(setting, found)[0] / found.floor)
    return Sharpened(K, found.floor, setting, replace(found, K=K))


def _rung(title: str, figure: str, **options) -> Rung:
    return Rung(title, figure, lambda: sharpen(**options))


def _claimed(title: str, figure: str, which: str) -> Rung:
    return Rung(title, figure, lambda: Claimed("iteration-bound", which))


def _lower(title: str, figure: str, rule: str) -> Rung:
    shown = Claimed(f"iteration-bound-lower-{rule}", "sharp", "cL", sp.oo)
    return Rung(title, figure, lambda: shown, lower=True)


LADDER = {
    rung.title: rung
    for rung in (
        _claimed("published", "1600", "published"),
        _claimed("FMO (107) repaired by convexity", "800", "jensen"),
        _claimed("kappa(20) not rounded", "482.1", "half"),
        Rung("the share the floor 61 needs, not half", "344.6", fmo_share),
        _claimed("the variance of the mean in (10)", "315", "same-floor"),
        _rung("sharp S and sharper (8), two moments of the step", "64.14", law="moments"),
        _rung("the step's distribution", "60.95"),
        _lower("exact step, lower bound", "48", "exact"),
        _rung("exact step, published S", "1152/23", B=None, step="exact", smoothness="published", **EXACT),
        _rung("exact step, sharp S", "48.7", B=None, step="exact", **EXACT),
        _rung("random step, two moments", "71.67", B=None, law="moments", smoothness="published", **EXACT),
        _lower("random step, lower bound", "60", "random"),
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
