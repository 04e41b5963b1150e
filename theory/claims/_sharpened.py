"""The best constants of (14) and of the noise floor: found by `theory.sharpen`, kept as data, proved anew by its proof.

The proof covers the whole domain: every alpha <= 1/(6L), every B >= 20, every D_h, B' and D_step from its minimum on.
"""

from dataclasses import dataclass, replace
from functools import cache

import sympy as sp

from theory import symbols as s
from theory.certify import Certificate, Replay
from theory.claims import _one_step as one


@dataclass(frozen=True)
class Found:
    """K and the floor constant of one analysis: its Young weights, and where the bias changes its branch."""

    K: sp.Rational
    floor: sp.Rational
    eta: sp.Rational
    phi: sp.Rational
    cut: sp.Rational

    def decrease(self, replay: Replay, eps: sp.Symbol) -> None:
        """Adds "decrease": E F(w_k) - E F(w_{k+1}) >= eps^2/(K (1 + r(sigma + eps))) above the floor."""
        replay.use("decrease", s.F_drop - one.per_step(eps) / self.K, _certificate(self))


def found(*texts: str) -> Found:
    """From decimals."""
    return Found(*map(sp.Rational, texts))


@cache
def _certificate(shown: Found) -> Certificate:
    from theory import sharpening
    from theory.sharpening import proof, search

    setting = sharpening.make_setting()
    analysis = search.exactly(setting, shown.eta, shown.phi)
    return proof.prove(setting, replace(analysis, K=shown.K, floor=shown.floor, cut=shown.cut))


ITERATIONS = found("60.8574306", "61", "0.001162", "0.000875", "64")
FLOOR = found("1600", "0.1572493", "0.3225", "0.01486", "0")
